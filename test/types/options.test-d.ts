/** Options: what is unknown, misspelt or no word of ours does not compile. */
import { Get, RequestMethod } from '@nestjs/common';
import {
  createEngine,
  type Engine,
  type IsolationLevel,
  runInScope,
  type ScopedSession,
  scopedSession,
  ScopedSessionModule,
  type Session,
  SessionOptions,
  sessionFactory,
} from 'nestjs-scoped-session';
import type { Equal } from './equal.js';

ScopedSessionModule.forRoot();
ScopedSessionModule.forRoot({
  name: 'reports',
  dataSource: { type: 'sqljs' },
  isolation: 'REPEATABLE READ',
  readOnly: true,
  repositories: 'leave',
  commit: 'manual',
  rollbackOn: (status, error) => error !== undefined || status === 409,
  exclude: ['/health', { path: 'metrics', method: RequestMethod.GET }],
  onClientAbort: 'rollback',
  poolTimeoutMs: 1_000,
});
// @ts-expect-error: an option that there is not
ScopedSessionModule.forRoot({ propagation: 'REQUIRED' });
// @ts-expect-error: the word is `poolTimeoutMs`
ScopedSessionModule.forRoot({ poolTimeout: 1 });
// @ts-expect-error: the level's name has a space
ScopedSessionModule.forRoot({ isolation: 'READ_COMMITTED' });
// @ts-expect-error: levels are written in capitals
ScopedSessionModule.forRoot({ isolation: 'serializable' });
ScopedSessionModule.forRoot({ sqliteConnections: 'perSession' });
// @ts-expect-error: not a mode
ScopedSessionModule.forRoot({ sqliteConnections: true });
// @ts-expect-error: not a mode
ScopedSessionModule.forRoot({ commit: 'always' });
// @ts-expect-error: not a mode
ScopedSessionModule.forRoot({ repositories: 'patch' });
// @ts-expect-error: not a policy
ScopedSessionModule.forRoot({ onClientAbort: 'ignore' });
// @ts-expect-error: a number of milliseconds
ScopedSessionModule.forRoot({ scopeTimeoutMs: '60s' });

ScopedSessionModule.forRootAsync({
  name: 'reports',
  inject: ['limit'],
  useFactory: (limit: number) => ({ poolTimeoutMs: limit }),
});
// @ts-expect-error: options stand in the factory, but for `name` and `dataSource`
ScopedSessionModule.forRootAsync({ useFactory: () => ({}), poolTimeoutMs: 1 });
// @ts-expect-error: not a level
ScopedSessionModule.forRootAsync({ useFactory: () => ({ isolation: 'NONE' as const }) });

export class Handlers {
  @Get()
  @SessionOptions({ isolation: 'SERIALIZABLE', readOnly: true, timeoutMs: 1_000, enabled: true })
  fine(): void {}

  @Get()
  // @ts-expect-error: an option that there is not
  @SessionOptions({ timeout: 1_000 })
  unknown(): void {}

  @Get()
  // @ts-expect-error: not a level
  @SessionOptions({ isolation: 'SNAPSHOT' })
  wrongWord(): void {}

  @Get()
  // @ts-expect-error: without options it says nothing
  @SessionOptions()
  nothing(): void {}
}

const engine = createEngine('sqlite+sqljs:///:memory:', { poolSize: 5, gateTimeoutMs: 1_000 });
export const isEngine: Equal<typeof engine, Engine> = true;
createEngine({ type: 'sqljs' });
// @ts-expect-error: SQLAlchemy's word in its own spelling
createEngine('sqlite:///:memory:', { pool_size: 5 });
// @ts-expect-error: neither a URL nor TypeORM's options
createEngine(3306);

const factory = sessionFactory(engine, {
  isolation: 'READ COMMITTED',
  autobegin: false,
  info: { tenant: 1 },
});
// @ts-expect-error: the word is `isolation`
sessionFactory(engine, { isolationLevel: 'SERIALIZABLE' });
// @ts-expect-error: not a level
sessionFactory(engine, { isolation: 'DIRTY' });
factory.configure({ unitOfWork: 'everything', autoflush: false, expireOnCommit: true });
// @ts-expect-error: not a mode
factory.configure({ unitOfWork: 'nothing' });
// @ts-expect-error: not an option of one session
factory.create({ settleTimeoutMs: 1 });
// @ts-expect-error: not a session class
factory.configure({ sessionClass: Date });

export async function blocks(session: Session, scoped: ScopedSession): Promise<void> {
  await session.begin({ isolation: 'READ UNCOMMITTED', readOnly: false });
  // @ts-expect-error: not a level
  await session.begin({ isolation: 'CHAOS' });
  await scoped.run(async () => 1, { label: 'nightly', timeoutMs: 5_000 });
  // @ts-expect-error: an option that there is not
  await scoped.run(async () => 1, { retries: 3 });
  await scoped.run(async () => 1, { retry: { times: 3, delayMs: 10, on: (_, attempt) => attempt < 2 } });
  await factory.begin(async () => 1, { isolation: 'SERIALIZABLE', retry: { times: 3 } });
  // @ts-expect-error: how often must be said
  await scoped.run(async () => 1, { retry: { delayMs: 10 } });
  // @ts-expect-error: an object, for a number alone does not say what it counts
  await factory.begin(async () => 1, { retry: 3 });
  // @ts-expect-error: the answer is needed at once
  await scoped.independently(async () => 1, { retry: { times: 1, on: async () => true } });
  // @ts-expect-error: only a whole unit of work can be run again
  factory.create({ retry: { times: 1 } });
  // @ts-expect-error: there is nothing to run
  await scoped.independently();
  await runInScope(async () => 1, { label: () => 'late' });
  // @ts-expect-error: an option that there is not
  await runInScope(async () => 1, { isolation: 'SERIALIZABLE' });
  scopedSession(factory, () => session);
  // @ts-expect-error: the scope function is a function
  scopedSession(factory, 'request');
}

export const levels: Equal<
  IsolationLevel,
  'READ UNCOMMITTED' | 'READ COMMITTED' | 'REPEATABLE READ' | 'SERIALIZABLE'
> = true;
