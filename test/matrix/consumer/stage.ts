/** One running application: the platform and the database it is on, its clients, and what it has said. */
import { createServer, type AddressInfo } from 'node:net';
import { type INestApplication, Logger, type LoggerService, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  type ClientProxy,
  ClientProxyFactory,
  type MicroserviceOptions,
  Transport,
} from '@nestjs/microservices';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { WsAdapter } from '@nestjs/platform-ws';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ScopedSession, ScopedSessionModule } from 'nestjs-scoped-session';
import { firstValueFrom } from 'rxjs';
import { DataSource, type DataSourceOptions, type EntityManager } from 'typeorm';
import { AccountsController, RequestScopedController } from './accounts.controller.js';
import { BodiesController } from './bodies.controller.js';
import type { Database, Row } from './databases.js';
import { Account, Note } from './entities.js';
import { MessagesController } from './messages.controller.js';
import { NotesController } from './notes.controller.js';
import { NotesGateway } from './notes.gateway.js';
import { EARLY_MANAGER, NotesService, RequestNotes } from './notes.service.js';

export const PLATFORMS = ['express', 'fastify'] as const;
export type Platform = (typeof PLATFORMS)[number];

const HOST = '127.0.0.1';

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly body: unknown;
}

export class Stage {
  private constructor(
    readonly database: Database,
    readonly platform: Platform,
    readonly app: INestApplication,
    readonly url: string,
    private readonly client: ClientProxy,
    /** Warnings and errors of the log. */
    readonly said: string[],
  ) {}

  static async start(database: Database, platform: Platform): Promise<Stage> {
    const said: string[] = [];
    const adapter =
      platform === 'fastify' ? new FastifyAdapter({ forceCloseConnections: true }) : new ExpressAdapter();
    const app = await NestFactory.create<INestApplication>(moduleOn(database), adapter, {
      logger: loggerInto(said),
      abortOnError: false,
      forceCloseConnections: true,
    });
    const tcp = { transport: Transport.TCP, options: { host: HOST, port: await freePort() } } as const;
    app.connectMicroservice<MicroserviceOptions>(tcp, { inheritAppConfig: true });
    app.useWebSocketAdapter(new WsAdapter(app));
    await app.startAllMicroservices();
    await app.listen(0, HOST);
    const { port } = (app.getHttpServer() as { address(): AddressInfo }).address();
    const client = ClientProxyFactory.create(tcp);
    return new Stage(database, platform, app, `http://${HOST}:${port}`, client, said);
  }

  get session(): ScopedSession {
    return this.app.get(ScopedSession, { strict: false });
  }

  get<T>(token: Type<T>): T {
    return this.app.get(token, { strict: false });
  }

  async request(method: string, path: string, body?: object): Promise<Answer> {
    const headers = { 'content-type': 'application/json' };
    const sent = body === undefined ? { method } : { method, headers, body: JSON.stringify(body) };
    const response = await fetch(this.url + path, sent);
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return { status: response.status, text, body: isJson ? JSON.parse(text) : text };
  }

  post(path: string, body?: object): Promise<Answer> {
    return this.request('POST', path, body);
  }

  send(pattern: string, data: object): Promise<unknown> {
    return firstValueFrom(this.client.send<unknown>(pattern, data));
  }

  /** What others see. */
  rows(sql: string): Promise<Row[]> {
    return this.database.ask(this.get(DataSource), sql);
  }

  async notes(): Promise<unknown[]> {
    return (await this.rows('SELECT text FROM note ORDER BY id')).map(({ text }) => text);
  }

  async clear(): Promise<void> {
    for (const table of ['note', 'account']) await this.rows(`DELETE FROM ${table}`);
    this.get(NotesService).called.length = 0;
  }

  async close(): Promise<void> {
    await this.client.close();
    await this.app.close();
    Logger.overrideLogger(false);
  }
}

function moduleOn(database: Database): Type<object> {
  let early: EntityManager | undefined;
  const dataSourceFactory = async (options?: DataSourceOptions): Promise<DataSource> => {
    const dataSource = await new DataSource(options!).initialize();
    early = dataSource.createEntityManager();
    return dataSource;
  };
  @Module({
    imports: [
      TypeOrmModule.forRootAsync({
        useFactory: () => ({ ...database.options, retryAttempts: 1 }),
        dataSourceFactory,
      }),
      TypeOrmModule.forFeature([Account, Note]),
      ScopedSessionModule.forRoot(),
    ],
    controllers: [
      AccountsController,
      BodiesController,
      MessagesController,
      NotesController,
      RequestScopedController,
    ],
    providers: [
      NotesGateway,
      NotesService,
      RequestNotes,
      { provide: EARLY_MANAGER, inject: [DataSource], useFactory: () => early },
    ],
  })
  class AppModule {}
  return AppModule;
}

function loggerInto(said: string[]): LoggerService {
  const note = (message: unknown): void => {
    said.push(message instanceof Error ? (message.stack ?? message.message) : String(message));
  };
  return { log: () => undefined, warn: note, error: note, fatal: note };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
