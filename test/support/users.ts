/** The tables that the conformance rows speak of, with their two users, and what a row wants to know of them. */
import {
  createEngine,
  type Engine,
  type EngineOptions,
  type SessionBase,
  type SessionFactory,
  type SessionFactoryOptions,
  sessionFactory,
} from 'nestjs-scoped-session';
import {
  Column,
  DataSource,
  Entity,
  JoinColumn,
  ManyToOne,
  OneToMany,
  PrimaryGeneratedColumn,
} from 'typeorm';
import type { TestDatabase } from './databases.js';
import { StatementRecorder } from './statement-recorder.js';

@Entity('users')
export class User {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 50 })
  name!: string;

  @Column({ type: 'varchar', length: 50, nullable: true, unique: true })
  nick!: string | null;

  @OneToMany(() => Address, (address) => address.user, { cascade: true })
  addresses!: Address[];
}

@Entity('addresses')
export class Address {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 50 })
  email!: string;

  @ManyToOne(() => User, (user) => user.addresses, { cascade: ['insert'], orphanedRowAction: 'delete' })
  @JoinColumn({ name: 'user_id' })
  user!: User;
}

export const INSERT_USER = 'INSERT INTO users (name, nick) VALUES (:name, :nick)';

export interface Users {
  readonly dataSource: DataSource;
  readonly engine: Engine;
  readonly factory: SessionFactory;
  readonly recorder: StatementRecorder;
  /** Connections checked out of the pool. */
  readonly out: number;
  /** Names that were committed, in the order of their keys; asked from outside where that is possible. */
  names(): Promise<string[]>;
}

export interface UsersOptions {
  readonly engine?: EngineOptions;
  readonly factory?: SessionFactoryOptions;
  readonly dataSource?: Record<string, unknown>;
}

/** A DataSource with users 'one' (nick x) and 'two' (nick y), watched until the end of the test. */
export async function users(database: TestDatabase, options: UsersOptions = {}): Promise<Users> {
  const recorder = new StatementRecorder();
  const dataSource = new DataSource(
    database.options({
      entities: [User, Address],
      synchronize: true,
      dropSchema: true,
      logger: recorder,
      ...options.dataSource,
    }),
  );
  const engine = await createEngine(dataSource, { ...database.engine, ...options.engine }).initialize();
  database.watch({ dataSource, close: () => engine.dispose().then(() => dataSource.destroy()) });
  await dataSource.manager.insert(User, [
    { name: 'one', nick: 'x' },
    { name: 'two', nick: 'y' },
  ]);
  const factory = sessionFactory(engine, options.factory);
  recorder.take();
  const ask = (sql: string): Promise<{ name: string }[]> =>
    database.kind === 'sqljs' ? dataSource.query(sql) : database.ask(sql);
  return {
    dataSource,
    engine,
    factory,
    recorder,
    get out() {
      return engine.status().active;
    },
    names: async () => (await ask('SELECT name FROM users ORDER BY id')).map(({ name }) => name),
  };
}

/** The server's number of the session's connection, by which another connection can end it. */
export async function connectionNumber(
  session: Pick<SessionBase, 'scalar'>,
  database: TestDatabase,
): Promise<number> {
  const sql = database.kind === 'mariadb' ? 'SELECT CONNECTION_ID()' : 'SELECT pg_backend_pid()';
  return Number(await session.scalar(sql));
}
