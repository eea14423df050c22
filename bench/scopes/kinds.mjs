/** The kinds of scopes: each starts what it needs, runs one scope at a time, and says what is left. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import {
  AsyncLocalRegistry,
  createEngine,
  currentScope,
  runInScope,
  ScopedSession,
  scopedSession,
  ScopedSessionModule,
  sessionFactory,
} from '../../dist/index.js';
import { ActiveWork } from '../../dist/nest/active-work.js';
import { decorate } from '../support/decorate.mjs';
import { Client, request } from '../support/load.mjs';

/**
 * @typedef {object} Started
 * @property {(see: (...objects: object[]) => void, number: number) => Promise<void>} one - runs one scope
 * @property {() => number} entriesLeft
 * @property {() => void} [rest] - gives up at the end of a batch what only serves the measuring
 * @property {readonly import('node:events').EventEmitter[]} emitters
 * @property {() => Promise<void>} stop
 */

/** @type {readonly { title: string, start(): Promise<Started> }[]} */
export const KINDS = [
  { title: 'runInScope, not used', start: unused },
  { title: 'runInScope, a registry asked', start: registryAsked },
  { title: 'scopedSession.run, one statement', start: oneStatement },
  { title: 'scopedSession(factory, token), one statement, remove()', start: ownTokens },
  { title: 'a request, no database', start: () => requests('/nothing') },
  { title: 'a request, one SELECT', start: () => requests('/one') },
];

async function unused() {
  let left = 0;
  return {
    one: async (see) => {
      let scope;
      await runInScope(() => {
        scope = currentScope();
      });
      left += scope.entries.size;
      see(scope);
    },
    entriesLeft: () => left,
    emitters: [],
    stop: async () => undefined,
  };
}

async function registryAsked() {
  const registry = new AsyncLocalRegistry(() => ({}));
  let left = 0;
  return {
    one: async (see) => {
      let scope;
      await runInScope(async () => {
        scope = currentScope();
        see(scope, registry.get());
        await nextTurn();
        see(registry.get());
      });
      left += scope.entries.size;
    },
    entriesLeft: () => left,
    emitters: [],
    stop: async () => undefined,
  };
}

async function oneStatement() {
  const engine = await createEngine('sqlite+sqljs:///:memory:').initialize();
  const session = scopedSession(sessionFactory(engine));
  let left = 0;
  return {
    one: async (see) => {
      let scope;
      await session.run(async (own) => {
        scope = currentScope();
        see(scope, own, own.queryRunner);
        await own.scalar('SELECT 1');
      });
      left += scope.entries.size;
    },
    entriesLeft: () => left + engine.status().active,
    emitters: emittersOf(engine.dataSource),
    stop: () => engine.dispose(),
  };
}

async function ownTokens() {
  const engine = await createEngine('sqlite+sqljs:///:memory:').initialize();
  let token = '';
  const session = scopedSession(sessionFactory(engine), () => token);
  let left = 0;
  return {
    one: async (see, number) => {
      const own = `tenant ${number}`;
      token = own;
      const current = session.current();
      see(current, current.queryRunner);
      await current.scalar('SELECT 1');
      // Another one ran in between.
      token = own;
      await session.remove();
      token = own;
      if (session.registry.has()) left += 1;
    },
    entriesLeft: () => left + engine.status().active,
    emitters: emittersOf(engine.dataSource),
    stop: () => engine.dispose(),
  };
}

async function requests(path) {
  let see = () => undefined;
  class Requests {
    constructor(session) {
      this.session = session;
    }
    nothing() {
      see(currentScope());
      return { one: 1 };
    }
    async one() {
      see(currentScope(), this.session.current());
      return { one: await this.session.scalar('SELECT 1') };
    }
  }
  decorate(Requests, [Controller()], {
    nothing: { method: [Get('nothing')] },
    one: { method: [Get('one')] },
  });
  Reflect.defineMetadata('design:paramtypes', [ScopedSession], Requests);
  class AppModule {}
  const imports = [TypeOrmModule.forRoot({ type: 'sqljs' }), ScopedSessionModule.forRoot()];
  Module({ imports, controllers: [Requests] })(AppModule);
  const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'], forceCloseConnections: true });
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address();
  const sent = request('GET', path);
  const idle = [];
  const work = app.get(ActiveWork, { strict: false });
  const dataSource = app.get(DataSource, { strict: false });
  return {
    one: async (seeThis) => {
      see = seeThis;
      const client = idle.pop() ?? (await Client.open(port));
      await client.ask(sent);
      idle.push(client);
    },
    entriesLeft: () => work.count,
    // A kept-alive connection holds on to its last request.
    rest: () => idle.splice(0).forEach((client) => client.close()),
    emitters: [...emittersOf(dataSource), app.getHttpServer()],
    stop: async () => {
      await app.close();
    },
  };
}

/** What of a DataSource has listeners, with today's drivers. */
function emittersOf(dataSource) {
  return [dataSource, dataSource.driver, dataSource.driver.databaseConnection].filter(
    (one) => typeof one?.eventNames === 'function',
  );
}
