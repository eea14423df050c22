/** One application for each way in which messages come, for rules that hold for all of them. */
import { type INestApplication, Logger, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientProxyFactory, type MicroserviceOptions, Transport } from '@nestjs/microservices';
import { ExpressAdapter } from '@nestjs/platform-express';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ScopedSessionModule, type ScopedSessionModuleOptions } from 'nestjs-scoped-session';
import { DataSource } from 'typeorm';
import { ActiveWork } from '../../src/nest/active-work.js';
import { appModule, Hearing, withNotes } from './boot.js';
import type { TestDatabase } from './databases.js';
import { type MessageClient, RpcClient, SocketIoClient, WsClient } from './message-clients.js';
import { Note } from './note.js';
import { hasNats, natsServer } from './nats-server.js';
import { freePort } from './private-server.js';
import { hasRedis, redisServer } from './redis-server.js';

export const SOCKETS = ['ws', 'socket.io'] as const;
export const RPC = [
  'tcp',
  ...(hasRedis ? (['redis'] as const) : []),
  ...(hasNats ? (['nats'] as const) : []),
] as const;
export const TRANSPORTS = [...SOCKETS, ...RPC] as const;
export type TransportName = 'ws' | 'socket.io' | 'tcp' | 'redis' | 'nats';

export interface Messages {
  readonly app: INestApplication;
  readonly heard: Hearing;
  readonly url: string;
  readonly work: ActiveWork;
  readonly dataSource: DataSource;
  connect(): Promise<MessageClient>;
  /** What others see that is stored. */
  stored(): Promise<string[]>;
  /** Checks the invariants after this test; the application goes on. */
  watch(): void;
  /** Closes the application, whose clients stay. */
  shutDown(): Promise<void>;
  close(): Promise<void>;
}

export interface MessagesOptions extends Pick<ModuleMetadata, 'controllers' | 'providers'> {
  readonly session?: ScopedSessionModuleOptions;
  /** Of the hybrid application; default true. */
  readonly inheritAppConfig?: boolean;
}

interface Way {
  configure?(app: INestApplication): Promise<void>;
  connect(url: string): Promise<MessageClient>;
  stop?(): Promise<void>;
}

/** A hybrid application, which is not closed by the end of a test. */
export async function startMessages(
  database: TestDatabase,
  name: TransportName,
  options: MessagesOptions,
): Promise<Messages> {
  const heard = new Hearing();
  const { session, inheritAppConfig = true, ...metadata } = options;
  const module = appModule({
    imports: [
      TypeOrmModule.forRoot(withNotes(database)),
      TypeOrmModule.forFeature([Note]),
      ScopedSessionModule.forRoot(session),
    ],
    ...metadata,
  });
  const app: INestApplication = await NestFactory.create(module, new ExpressAdapter(), {
    logger: heard,
    abortOnError: false,
    forceCloseConnections: true,
  });
  const way = await WAYS[name]({ inheritAppConfig });
  await way.configure?.(app);
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as { port: number };
  const url = `http://127.0.0.1:${port}`;
  const work = app.get(ActiveWork, { strict: false });
  const dataSource = app.get<DataSource>(DataSource, { strict: false });
  const sql = 'SELECT text FROM note ORDER BY id';
  const clients: MessageClient[] = [];
  let closing: Promise<void> | undefined;
  const shutDown = (): Promise<void> => (closing ??= app.close());
  return {
    app,
    heard,
    url,
    work,
    dataSource,
    connect: async () => {
      const client = await way.connect(url);
      clients.push(client);
      return client;
    },
    stored: async () => {
      const rows = database.kind === 'sqljs' ? dataSource.query(sql) : database.ask(sql);
      return ((await rows) as { text: string }[]).map(({ text }) => text);
    },
    watch: () => void database.watch({ dataSource, liveScopes: () => work.count }),
    shutDown,
    close: async () => {
      for (const client of clients) await client.close();
      await shutDown();
      await way.stop?.();
      Logger.overrideLogger(false);
    },
  };
}

type Make = (options: { inheritAppConfig: boolean }) => Promise<Way>;

const WAYS: Record<TransportName, Make> = {
  ws: async () => ({
    configure: async (app) => void app.useWebSocketAdapter(new WsAdapter(app)),
    connect: (url) => WsClient.connect(url),
  }),
  'socket.io': async () => ({
    configure: async (app) => void app.useWebSocketAdapter(new IoAdapter(app)),
    connect: (url) => SocketIoClient.connect(url),
  }),
  tcp: async (hybrid) => {
    const options = {
      transport: Transport.TCP as const,
      options: { host: '127.0.0.1', port: await freePort() },
    };
    return microservice(options, hybrid);
  },
  redis: async (hybrid) => {
    const { port, stop } = await redisServer();
    const options = { transport: Transport.REDIS as const, options: { host: '127.0.0.1', port } };
    return { ...microservice(options, hybrid), stop };
  },
  nats: async (hybrid) => {
    const { port, stop } = await natsServer();
    const options = { transport: Transport.NATS as const, options: { servers: [`127.0.0.1:${port}`] } };
    return { ...microservice(options, hybrid), stop };
  },
};

function microservice(options: MicroserviceOptions, hybrid: { inheritAppConfig: boolean }): Way {
  return {
    configure: async (app) => {
      app.connectMicroservice<MicroserviceOptions>(options, hybrid);
      await app.startAllMicroservices();
    },
    connect: async () => {
      const proxy = ClientProxyFactory.create(options as Parameters<typeof ClientProxyFactory.create>[0]);
      await proxy.connect();
      return new RpcClient(proxy);
    },
  };
}
