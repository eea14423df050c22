/** Boots a module as the main file of an application does, and hears what it says. */
import type { Server } from 'node:http';
import {
  type INestApplication,
  type INestApplicationContext,
  Logger,
  type LoggerService,
  Module,
  type ModuleMetadata,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import supertest, { type Agent } from 'supertest';
import type { DataSourceOptions } from 'typeorm';
import { ActiveWork } from '../../src/nest/active-work.js';
import { Databases } from '../../src/nest/databases.js';
import type { TestDatabase } from './databases.js';
import { Note } from './note.js';
import type { Platform } from './test-app.js';

/** Keeps what applications say, for tests that listen. */
export class Hearing implements LoggerService {
  readonly #said: { readonly level: string; readonly text: string }[] = [];

  log(message: unknown): void {
    this.#note('log', message);
  }
  warn(message: unknown): void {
    this.#note('warn', message);
  }
  error(message: unknown): void {
    this.#note('error', message);
  }
  fatal(message: unknown): void {
    this.#note('fatal', message);
  }

  /** What was said at this level, and contains `part`. */
  of(level: 'log' | 'warn' | 'error' | 'fatal', part = ''): string[] {
    return this.#said.filter((one) => one.level === level && one.text.includes(part)).map(({ text }) => text);
  }

  #note(level: string, message: unknown): void {
    this.#said.push({ level, text: message instanceof Error ? message.message : String(message) });
  }
}

export interface Booted<App extends INestApplicationContext = INestApplicationContext> {
  readonly app: App;
  readonly heard: Hearing;
  liveScopes(): number;
  close(): Promise<void>;
}

export interface Served extends Booted<INestApplication> {
  readonly http: Agent;
  readonly url: string;
}

export function appModule(metadata: ModuleMetadata): new () => object {
  class AppModule {}
  Module(metadata)(AppModule);
  return AppModule;
}

/** An application without HTTP. Rejects with the error of the boot; nothing ends the process. */
export async function boot(database: TestDatabase, metadata: ModuleMetadata): Promise<Booted> {
  const heard = new Hearing();
  const options = { logger: heard, abortOnError: false };
  const app = await NestFactory.createApplicationContext(appModule(metadata), options);
  return watched(database, app, heard);
}

/** An application over real HTTP, on a module of the test's own making. */
export async function serve(
  database: TestDatabase,
  metadata: ModuleMetadata,
  platform: Platform = 'express',
  configure: (app: INestApplication) => unknown = () => undefined,
): Promise<Served> {
  const heard = new Hearing();
  const options = { logger: heard, abortOnError: false, forceCloseConnections: true };
  const adapter =
    platform === 'fastify' ? new FastifyAdapter({ forceCloseConnections: true }) : new ExpressAdapter();
  const app: INestApplication = await NestFactory.create(appModule(metadata), adapter, options);
  const booted = watched(database, app, heard);
  await configure(app);
  await app.listen(0, '127.0.0.1');
  if (platform === 'fastify') await (app as NestFastifyApplication).getHttpAdapter().getInstance().ready();
  const server = app.getHttpServer() as Server;
  const { port } = server.address() as { port: number };
  return { ...booted, http: supertest(server), url: `http://127.0.0.1:${port}` };
}

function watched<App extends INestApplicationContext>(
  database: TestDatabase,
  app: App,
  heard: Hearing,
): Booted<App> {
  const work = app.get(ActiveWork, { strict: false });
  for (const { sessionFactory } of app.get(Databases, { strict: false }).scoped) {
    const { dataSource } = sessionFactory.engine!;
    // An application may be on others besides, which the test has to have watched by themselves.
    if (dataSource.options.database === database.options().database) database.watch({ dataSource });
  }
  let closing: Promise<void> | undefined;
  return database.watch({
    app,
    heard,
    liveScopes: () => work.count,
    close: () => (closing ??= app.close().finally(() => Logger.overrideLogger(false))),
  });
}

/** TypeORM's options for a database that has a table of notes; TypeOrmModule tries it once. */
export function withNotes(database: TestDatabase, more: Record<string, unknown> = {}): DataSourceOptions {
  const own = { synchronize: true, dropSchema: true, entities: [Note], retryAttempts: 1, ...more };
  return database.options(own);
}
