/** The table of operations by states: how an object comes into a state, what is done with it, and what is seen then. */
import {
  createEngine,
  type Engine,
  type SessionBase,
  type SessionFactory,
  sessionFactory,
} from 'nestjs-scoped-session';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { TestDatabase } from './databases.js';
import { newUser, sent } from './session-objects.js';
import { StatementRecorder } from './statement-recorder.js';
import { Address, User } from './users.js';

/** How an object comes into each of the states. */
export const MAKERS = {
  transient: async () => newUser({ name: 'new' }),
  pending: async (session) => {
    const user = newUser({ name: 'new' });
    session.add(user);
    return user;
  },
  persistent: (session) => session.getOrFail(User, 1),
  changed: async (session) => Object.assign(await session.getOrFail(User, 1), { name: 'changed' }),
  'new and flushed': async (session) => {
    const user = newUser({ name: 'new' });
    session.add(user);
    await session.flush();
    return user;
  },
  marked: async (session) => {
    const user = await session.getOrFail(User, 1);
    session.delete(user);
    return user;
  },
  deleted: async (session) => {
    const user = await session.getOrFail(User, 1);
    session.delete(user);
    await session.flush();
    return user;
  },
  detached: async (session) => {
    const user = await session.getOrFail(User, 1);
    session.expunge(user);
    return user;
  },
} satisfies Record<string, (session: SessionBase) => Promise<User>>;

export type State = keyof typeof MAKERS;

export interface Place {
  readonly session: SessionBase;
  readonly factory: SessionFactory;
  /** Brings an object into a state. */
  make(): Promise<User>;
  /** State, what the session says of it, and what was sent: `persistent > UPDATE users`. */
  seen(user: User, of?: SessionBase): string;
}

export interface StateTable {
  /** What is seen after `operation` on an object in this state, or how it was refused. */
  cell(state: State, operation: (place: Place) => Promise<string>): Promise<string>;
}

/** The tables are there for the whole file; each case begins with the same two rows. */
export function stateTable(database: TestDatabase): StateTable {
  const recorder = new StatementRecorder();
  let dataSource: DataSource;
  let engine: Engine;
  beforeAll(async () => {
    const options = { entities: [User, Address], synchronize: true, dropSchema: true, logger: recorder };
    dataSource = new DataSource(database.options(options));
    engine = await createEngine(dataSource, database.engine).initialize();
    // So that the next key which the database makes is 3.
    await dataSource.manager.insert(User, [{ name: 'one' }, { name: 'two' }]);
  });
  beforeEach(async () => {
    database.watch({ dataSource });
    await dataSource.query('DELETE FROM users');
    await dataSource.query("INSERT INTO users (id, name, nick) VALUES (1, 'one', 'x'), (2, 'two', 'y')");
  });
  afterAll(async () => {
    await engine.dispose();
    await dataSource.destroy();
  });
  return {
    cell: async (state, operation) => {
      const warn = (): void => undefined;
      const factory = sessionFactory(engine, { warn });
      const session = factory.create();
      const make = async (): Promise<User> => {
        const user = await MAKERS[state](session);
        recorder.take();
        return user;
      };
      const seen = (user: User, of = session): string =>
        [described(of, user), ...sent({ recorder })].join(' > ');
      try {
        return await operation({ session, factory, make, seen });
      } catch (error) {
        return `refused: ${(error as Error).message}`;
      } finally {
        await session.close();
      }
    },
  };
}

function described(session: SessionBase, user: User): string {
  const { state, expired, changed } = session.inspect(user);
  const isIn = state === 'persistent' || state === 'pending';
  return [
    state,
    ...(session.deleted.has(user) ? ['marked'] : []),
    ...(changed.length > 0 ? ['changed'] : []),
    ...(expired.length > 0 ? ['expired'] : []),
    ...(session.has(user) === isIn ? [] : ['in the wrong place']),
  ].join(' ');
}
