/** A Nest application on one of the databases, over real HTTP. */
import type { Server } from 'node:http';
import type { INestApplication, LoggerService, ModuleMetadata } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ScopedSession, ScopedSessionModule, type ScopedSessionModuleOptions } from 'nestjs-scoped-session';
import supertest, { type Agent } from 'supertest';
import { DataSource, type EntityTarget, type ObjectLiteral } from 'typeorm';
import { ActiveWork } from '../../src/nest/active-work.js';
import type { TestDatabase } from './databases.js';
import type { Watched } from './invariants.js';
import { Note } from './note.js';

export const PLATFORMS = ['express', 'fastify'] as const;
export type Platform = (typeof PLATFORMS)[number];

export interface TestApp extends Watched {
  readonly app: INestApplication;
  readonly http: Agent;
  readonly url: string;
  readonly dataSource: DataSource;
  readonly session: ScopedSession;
  liveScopes(): number;
  close(): Promise<void>;
}

export interface TestAppOptions extends Pick<ModuleMetadata, 'controllers' | 'providers' | 'imports'> {
  readonly platform?: Platform;
  readonly session?: ScopedSessionModuleOptions;
  readonly dataSource?: Record<string, unknown>;
  readonly entities?: readonly EntityTarget<ObjectLiteral>[];
  /** Called before the application listens. */
  readonly configure?: (app: INestApplication) => void;
}

/** What applications under test say is asserted where it matters, and printed nowhere. */
const SILENT = Object.fromEntries(
  ['log', 'error', 'warn', 'debug', 'verbose', 'fatal'].map((level) => [level, () => undefined]),
) as unknown as LoggerService;

/** Starts it, and has it checked and closed at the end of the test. */
export async function startApp(database: TestDatabase, options: TestAppOptions): Promise<TestApp> {
  const { platform = 'express', controllers = [], providers = [], imports = [], entities = [Note] } = options;
  const dataSourceOptions = database.options({ synchronize: true, dropSchema: true, ...options.dataSource });
  const builder = Test.createTestingModule({
    imports: [
      TypeOrmModule.forRoot({ ...dataSourceOptions, entities: [...entities] as never, retryAttempts: 1 }),
      TypeOrmModule.forFeature([...entities] as never),
      ScopedSessionModule.forRoot(options.session),
      ...imports,
    ],
    controllers,
    providers,
  });
  const module = await builder.setLogger(SILENT).compile();
  const adapter = platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter();
  const app: INestApplication = module.createNestApplication(adapter, { forceCloseConnections: true });
  options.configure?.(app);
  await app.listen(0, '127.0.0.1');
  if (platform === 'fastify') await (app as NestFastifyApplication).getHttpAdapter().getInstance().ready();
  const server = app.getHttpServer() as Server;
  const { port } = server.address() as { port: number };
  const work = app.get(ActiveWork, { strict: false });
  return database.watch({
    app,
    http: supertest(server),
    url: `http://127.0.0.1:${port}`,
    dataSource: app.get<DataSource>(DataSource, { strict: false }),
    session: app.get(ScopedSession, { strict: false }),
    liveScopes: () => work.count,
    close: () => app.close(),
  });
}
