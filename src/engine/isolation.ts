/** Isolation levels: the only words that may stand where SQL takes one. */
import { InvalidOptionError } from '../errors.js';
import { describe } from './option-rules.js';

/** The four levels of the SQL standard; which of them a database offers is the database's. */
export const ISOLATION_LEVELS = [
  'READ UNCOMMITTED',
  'READ COMMITTED',
  'REPEATABLE READ',
  'SERIALIZABLE',
] as const;
/** TypeORM's spelling of the four levels. */
export type IsolationLevel = (typeof ISOLATION_LEVELS)[number];

/** @throws {@link InvalidOptionError} `SS_ERR_INVALID_OPTION` for anything else than one of the four words */
export function isolationLevel(value: unknown, name = 'The isolation level'): IsolationLevel {
  if (ISOLATION_LEVELS.includes(value as IsolationLevel)) return value as IsolationLevel;
  throw new InvalidOptionError(
    `${name} must be one of ${ISOLATION_LEVELS.join(', ')}, not ${describe(value)}.`,
  );
}

/** When and how a transaction is begun. */
export const BEGIN_MODES = ['explicit', 'implicit', 'firstWrite'] as const;
/**
 * `explicit`: by name, before the first statement. `implicit`: by the first statement itself, on a connection without
 * autocommit, which saves a round trip (MySQL and MariaDB). `firstWrite`: reads before the first write are not part of it.
 */
export type BeginMode = (typeof BEGIN_MODES)[number];

/** How a transaction is to be begun. */
export interface TransactionOptions {
  /** Default: the DataSource's `isolationLevel`, else the server's. */
  readonly isolation?: IsolationLevel;
  /** Begins READ ONLY; the server then refuses writes. Default false. */
  readonly readOnly?: boolean;
}

/** The same, with what a session or its unit of work adds. */
export interface BeginSettings extends TransactionOptions {
  /** Default `explicit`. */
  readonly begin?: BeginMode;
  /** Lets reads before the first write see what others commit between them, at every level. */
  readonly unrepeatableReads?: boolean;
  /** Begins as a branch of a two-phase commit; what only reads needs none. */
  readonly twoPhase?: boolean;
  /** The unit of work, for the names of its branches in all databases: letters, digits and dashes. */
  readonly unit?: string;
}

/** Levels at which two reads of one transaction may see different rows anyway. */
export function changesBetweenReads(isolation: IsolationLevel | undefined): boolean {
  return isolation === 'READ COMMITTED' || isolation === 'READ UNCOMMITTED';
}
