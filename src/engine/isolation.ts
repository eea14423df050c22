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

/** How a transaction is to be begun. */
export interface TransactionOptions {
  /** Default: the DataSource's `isolationLevel`, else the server's. */
  readonly isolation?: IsolationLevel;
  /** Begins READ ONLY; the server then refuses writes. Default false. */
  readonly readOnly?: boolean;
}
