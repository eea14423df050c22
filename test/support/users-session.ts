/** A session on the tables of the conformance rows, and the questions that the rows of objects ask of it. */
import type { SessionBase, SessionFactoryOptions } from 'nestjs-scoped-session';
import { afterEach, beforeEach } from 'vitest';
import type { TestDatabase } from './databases.js';
import { inShort } from './flushing.js';
import { User, type Users, users, type UsersOptions } from './users.js';

export interface UsersSession extends Users {
  readonly session: SessionBase;
  /** One more session, beside the first. */
  create(options?: SessionFactoryOptions): SessionBase;
  state(entity: object): string;
  /** SQL of the rows since the last `take()`, as verbs and tables. */
  sent(): string[];
  /** What was asked for since the last call is over. */
  take(): void;
}

/** Fresh for each test, and closed after it: one that failed must not keep the tables of the next. */
export function usersSession(database: TestDatabase, options: UsersOptions = {}): UsersSession {
  let test: Users;
  let session: SessionBase;
  beforeEach(async () => {
    test = await users(database, options);
    session = test.factory.create();
  });
  afterEach(() => session.close());
  return {
    get session() {
      return session;
    },
    get dataSource() {
      return test.dataSource;
    },
    get engine() {
      return test.engine;
    },
    get factory() {
      return test.factory;
    },
    get recorder() {
      return test.recorder;
    },
    get out() {
      return test.out;
    },
    names: () => test.names(),
    create: (more) => test.factory.create(more),
    state: (entity) => session.inspect(entity).state,
    sent: () => test.recorder.rowStatements.map(inShort),
    take: () => void test.recorder.take(),
  };
}

/** A user that no session knows. */
export const user = (values: Partial<User>): User => Object.assign(new User(), values);
