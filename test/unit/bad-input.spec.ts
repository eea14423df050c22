/** Bad input: every public argument is refused before any I/O, with a code and a message that names the cure. */
import {
  AsyncLocalRegistry,
  createEngine,
  InvalidOptionError,
  InvalidParameterError,
  runInScope,
  ScopedRegistry,
  ScopedSessionError,
  ScopedSessionModule,
  scopedSession,
  sessionFactory,
  SessionOptions,
} from 'nestjs-scoped-session';
import { DataSource } from 'typeorm';
import { expect, it, vi } from 'vitest';

/** Arguments as a JavaScript caller may get them wrong. */
const wrong = (value: unknown): never => value as never;

const engine = createEngine('sqlite+sqljs:///:memory:');
const factory = sessionFactory(engine);
const scoped = scopedSession(factory);
const session = factory.create();

const REFUSED: readonly (readonly [call: string, run: () => unknown, cure: RegExp])[] = [
  [
    'createEngine()',
    () => createEngine(wrong(undefined)),
    /takes a database URL, TypeORM DataSource options or a DataSource/,
  ],
  ['createEngine(42)', () => createEngine(wrong(42)), /takes a database URL/],
  [
    "createEngine('nonsense')",
    () => createEngine('nonsense'),
    /looks like mysql\+mysql2:\/\/user:password@host/,
  ],
  ['createEngine(url, [])', () => createEngine('sqlite+sqljs://', wrong([])), /must be a plain object/],
  [
    'createEngine(url, { poolSise })',
    () => createEngine('sqlite+sqljs://', wrong({ poolSise: 1 })),
    /knows no option "poolSise". It knows: poolSize/,
  ],
  [
    'createEngine(url, { poolSize: 0 })',
    () => createEngine('sqlite+sqljs://', { poolSize: 0 }),
    /poolSize .* must be a whole number from 1 to 10000, not 0/,
  ],
  [
    'createEngine(url, { poolTimeoutMs: "1" })',
    () => createEngine('sqlite+sqljs://', wrong({ poolTimeoutMs: '1' })),
    /must be a whole number/,
  ],
  [
    'sessionFactory(42)',
    () => sessionFactory(wrong(42)),
    /must be a TypeORM DataSource or an engine made by createEngine/,
  ],
  [
    'sessionFactory(engine, { isolation })',
    () => sessionFactory(engine, wrong({ isolation: 'SERIALIZABLE; DROP TABLE x' })),
    /must be one of READ UNCOMMITTED/,
  ],
  [
    'sessionFactory(engine, { info: 1 })',
    () => sessionFactory(engine, wrong({ info: 1 })),
    /info .* must be a plain object/,
  ],
  [
    'sessionFactory(engine, { sessionClass })',
    () => sessionFactory(engine, wrong({ sessionClass: Date })),
    /must be SessionBase or a class that extends it/,
  ],
  [
    'sessionFactory(engine, { warn: 1 })',
    () => sessionFactory(engine, wrong({ warn: 1 })),
    /must be a function/,
  ],
  [
    'factory.create({ autobegin: 1 })',
    () => factory.create(wrong({ autobegin: 1 })),
    /must be true or false, not 1/,
  ],
  [
    'factory.configure({ nonsense })',
    () => factory.configure(wrong({ nonsense: 1 })),
    /knows no option "nonsense"/,
  ],
  [
    'factory.begin(fn, { retry: {} })',
    () => factory.begin(async () => 1, wrong({ retry: {} })),
    /retry of begin must say times: how many further attempts/,
  ],
  [
    'factory.begin(fn, { nonsense })',
    () => factory.begin(async () => 1, wrong({ nonsense: 1 })),
    /begin knows no option "nonsense". It knows: isolation/,
  ],
  [
    'scoped.run(fn, { retry: 3 })',
    () => scoped.run(() => 1, wrong({ retry: 3 })),
    /retry must be a plain object/,
  ],
  [
    'scoped.run(fn, { retry: { times: -1 } })',
    () => scoped.run(() => 1, { retry: { times: -1 } }),
    /times of retry must be a whole number from 0 to 100, not -1/,
  ],
  [
    'scoped.independently(fn, { retry: { time } })',
    () => scoped.independently(() => 1, wrong({ retry: { time: 1 } })),
    /retry knows no option "time". It knows: times, on, delayMs/,
  ],
  ['factory.begin()', () => factory.begin(wrong(undefined)), /first argument of begin must be a function/],
  ['scopedSession()', () => scopedSession(wrong(undefined)), /takes a factory made by sessionFactory/],
  [
    "scopedSession(factory, 'x')",
    () => scopedSession(factory, wrong('x')),
    /scope function of scopedSession must be a function/,
  ],
  ['scoped.run()', () => scoped.run(wrong(undefined)), /first argument of run must be a function/],
  [
    'scoped.run(fn, { label: 1 })',
    () => scoped.run(() => 1, wrong({ label: 1 })),
    /label .* must be a text that is not empty/,
  ],
  ['scoped.run(fn, { timeoutMs: 0 })', () => scoped.run(() => 1, { timeoutMs: 0 }), /whole number from 1/],
  [
    'scoped.run(fn, { timeout: 1 })',
    () => scoped.run(() => 1, wrong({ timeout: 1 })),
    /knows no option "timeout"/,
  ],
  ['scoped.independently()', () => scoped.independently(wrong(null)), /must be a function/],
  ['runInScope()', () => runInScope(wrong(undefined)), /must be a function/],
  [
    'runInScope(fn, { name })',
    () => runInScope(() => 1, wrong({ name: 'x' })),
    /knows no option "name". It knows: label/,
  ],
  ['runInScope(fn, 1)', () => runInScope(() => 1, wrong(1)), /must be an object such as \{ label \}/],
  [
    'runInScope(fn, { label: 1 })',
    () => runInScope(() => 1, wrong({ label: 1 })),
    /label of runInScope must be a text/,
  ],
  ['new ScopedRegistry()', () => new ScopedRegistry(wrong(1), wrong(2)), /must be a function/],
  [
    'new ScopedRegistry(fn)',
    () => new ScopedRegistry(() => 1, wrong(undefined)),
    /scope function must be a function/,
  ],
  ['new AsyncLocalRegistry()', () => new AsyncLocalRegistry(wrong(undefined)), /must be a function/],
  [
    'session.begin({ isolation: 1 })',
    () => session.begin(wrong({ isolation: 1 })),
    /must be one of READ UNCOMMITTED/,
  ],
  [
    'session.beginNested(1)',
    () => session.beginNested(wrong(1)),
    /argument of beginNested must be a function/,
  ],
  ['session.setRollbackOnly(1)', () => session.setRollbackOnly(wrong(1)), /takes its reason as a text/],
  ["session.execute('')", () => session.execute(''), /a statement that is not empty/],
  ['session.execute(1)', () => session.execute(wrong(1)), /a statement that is not empty/],
  ['session.execute(sql, 1)', () => session.execute('SELECT 1', wrong(1)), /an object such as \{ id: 1 \}/],
  [
    'session.execute(sql, [1])',
    () => session.execute('SELECT 1', wrong([1])),
    /positional values go to query\(\)/,
  ],
  ['session.execute(sql, { x: {} })', () => session.execute('SELECT :x', { x: {} }), /cannot be bound/],
  [
    'session.query(1)',
    () => session.query(wrong(1)),
    /takes SQL or a class of entities as its first argument/,
  ],
  [
    'forRoot({ nonsense })',
    () => ScopedSessionModule.forRoot(wrong({ nonsense: 1 })),
    /knows no option "nonsense"/,
  ],
  [
    "forRoot({ commit: 'never' })",
    () => ScopedSessionModule.forRoot(wrong({ commit: 'never' })),
    /must be one of "onSuccess", "manual"/,
  ],
  [
    'forRoot({ drainTimeoutMs: -1 })',
    () => ScopedSessionModule.forRoot({ drainTimeoutMs: -1 }),
    /whole number from 0/,
  ],
  [
    'forRootAsync({})',
    () => ScopedSessionModule.forRootAsync({}),
    /takes one of useFactory, useClass and useExisting/,
  ],
  [
    'forFeature(1)',
    () => ScopedSessionModule.forFeature(wrong(1)),
    /takes an array of entities or repository classes/,
  ],
  [
    'SessionOptions({ nonsense })',
    () => SessionOptions(wrong({ nonsense: 1 })),
    /knows no option "nonsense"/,
  ],
  [
    "SessionOptions({ repositories: 'x' })",
    () => SessionOptions(wrong({ repositories: 'x' })),
    /must be one of "join", "leave"/,
  ],
];

it.each(REFUSED)('%s is refused', async (_call, run, cure) => {
  const initialize = vi.spyOn(DataSource.prototype, 'initialize');
  const error: unknown = await Promise.resolve()
    .then(run)
    .then(
      () => undefined,
      (reason: unknown) => reason,
    );
  expect(error).toBeInstanceOf(ScopedSessionError);
  expect(error instanceof InvalidOptionError || error instanceof InvalidParameterError).toBe(true);
  expect((error as Error).message).toMatch(cure);
  expect(initialize).not.toHaveBeenCalled();
  expect(session.inTransaction(), 'nothing is half-done').toBe(false);
  initialize.mockRestore();
});
