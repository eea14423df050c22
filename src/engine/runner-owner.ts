/** What a session and its query runner know of each other. */
import type { EntityManager, QueryResult, QueryRunner } from 'typeorm';
import type { Outcome } from '../errors.js';
import type { BeginSettings } from './isolation.js';
import type { LeaseOwner, LeaseSlot } from './lease.js';

/** What became of a transaction while a statement was sent. */
export interface Spoilt {
  /** `failed`: the rollback of a savepoint mends it; `gone`: the server has no transaction any more. */
  readonly state: 'failed' | 'gone';
  readonly reason: string;
  readonly error?: unknown;
  /** What is known of what was done in it, where that is not `rolledBack`. */
  readonly outcome?: Outcome;
}

/** The session, as far as its runner knows it. */
export interface RunnerOwner {
  readonly label: string;
  /** The unit of work that leases are taken for. */
  readonly identity: LeaseOwner;
  /** Where the lease is kept. */
  readonly leaseSlot: LeaseSlot;
  transactionOptions(): BeginSettings;
  /** Every use of the connection passes here: it waits its turn, or is refused. */
  admit<T>(use: () => Promise<T>): Promise<T>;
  /** The same for a statement; what it may have to see is stored first. */
  admitStatement<T>(sql: string, send: () => Promise<T>, parameters?: unknown): Promise<T>;
  /** Keeps the end of the transaction waiting for `done`. */
  awaitBeforeEnd(done: Promise<unknown>): void;
  /** The running statement took the transaction with it. */
  spoilt(what: Spoilt): void;
  readonly nested: NestedWork;
  /** A query builder of the runner's manager, as the session wants it. */
  built<Builder>(builder: Builder): Builder;
  /** The runner's manager was told to store or remove objects. */
  persist<T>(asked: Persistence, plain: () => Promise<T>): Promise<T>;
}

/** What TypeORM's managers store with all that objects lead to. */
export const PERSISTENCE_METHODS = ['save', 'remove', 'softRemove', 'recover'] as const;

/** One call of such a method. */
export interface Persistence {
  readonly method: (typeof PERSISTENCE_METHODS)[number];
  /** `(entities, options)` or `(target, entities, options)`. */
  readonly given: readonly unknown[];
}

/** TypeORM's words for transactions, on a runner that is in one: savepoints. */
export interface NestedWork {
  /** Start, commit and rollback: handles that stay open until they are ended. */
  start(isolation?: string): Promise<void>;
  commitInnermost(): Promise<void>;
  rollbackInnermost(): Promise<void>;
  /** `manager.transaction`: a savepoint with a block of its own. */
  runManaged<T>(isolation: string | undefined, run: (manager: EntityManager) => Promise<T>): Promise<T>;
}

/** A transaction's own side: what is done once a use was admitted. */
export interface TransactionUse {
  readonly runner: QueryRunner;
  /** The connection may be asked for: it is in a transaction, or TypeORM is about to send there what was admitted. */
  readonly isAtHand: boolean;
  readonly connection: unknown;
  begin(): Promise<void>;
  send(sql: string, parameters?: unknown[]): Promise<QueryResult>;
  stream(...given: Parameters<QueryRunner['stream']>): ReturnType<QueryRunner['stream']>;
}
