/** One variant's server, in a process of its own: tells its port, then what it has used whenever it is asked. */
import { PerformanceObserver } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promiseHooks } from 'node:v8';
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

const { file, platform, database } = JSON.parse(process.argv[2]);
const { default: variant } = await import(`./variants/${file}.mjs`);

class AppModule {}
Module(variant(database))(AppModule);

const app = await NestFactory.create(AppModule, await adapterOf(platform), {
  logger: ['warn', 'error', 'fatal'],
  abortOnError: false,
  forceCloseConnections: true,
});
await app.listen(0, '127.0.0.1');

let collecting = 0;
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) collecting += duration * 1000;
}).observe({ entryTypes: ['gc'] });

let promises = 0;
let stopCounting = () => undefined;
const countPromise = () => {
  promises += 1;
};

const ANSWERS = {
  /** Microseconds until now. */
  used: async () => {
    // The garbage collector's entries are delivered a turn later.
    await nextTurn();
    // Of all threads: what the garbage collector and the compiler do for a request belongs to it.
    const { user, system } = process.cpuUsage();
    return { cpu: user + system, collecting };
  },
  /** Counts from here. Only with --expose-gc, and young objects have room enough to be counted before they are collected. */
  count: async () => {
    globalThis.gc();
    await nextTurn();
    stopCounting = promiseHooks.onInit(countPromise);
    promises = 0;
    return { promises, bytes: process.memoryUsage().heapUsed };
  },
  counted: () => {
    const { heapUsed: bytes } = process.memoryUsage();
    stopCounting();
    return { promises, bytes };
  },
  close: async () => {
    await app.close();
    process.disconnect();
  },
};

async function answer(question) {
  const told = await ANSWERS[question]();
  if (process.connected) process.send(told);
}

process.on('message', (question) => void answer(question));
// Whoever measures has gone.
process.on('disconnect', () => process.exit());
process.send(app.getHttpServer().address().port);

async function adapterOf(name) {
  if (name === 'fastify') return new (await import('@nestjs/platform-fastify')).FastifyAdapter();
  return new (await import('@nestjs/platform-express')).ExpressAdapter();
}
