/** The options of a session, and what a unit of work may set for its own. */
import {
  BEGIN_MODES,
  type BeginMode,
  flag,
  integer,
  isolationLevel,
  isPlainObject,
  oneOf,
  text,
  type IsolationLevel,
  type Rule,
  type Rules,
} from '../engine/index.js';
import { InvalidOptionError } from '../errors.js';

/** Whose objects a session tracks. */
export const UNIT_OF_WORK_MODES = ['session', 'everything', 'off'] as const;
/**
 * `session`: what the session's own methods load and are given. `everything`: what repositories and managers load in it too.
 * `off`: nothing.
 */
export type UnitOfWorkMode = (typeof UNIT_OF_WORK_MODES)[number];

/** Options of one session. */
export interface SessionOptions {
  /** Isolation level of every transaction. Default: the DataSource's `isolationLevel`, else the server's. */
  readonly isolation?: IsolationLevel;
  /** Begins transactions READ ONLY. Default false. */
  readonly readOnly?: boolean;
  /**
   * When transactions begin. `implicit` saves a round trip (MySQL and MariaDB). `firstWrite` sends reads before the first write
   * outside of it, and is refused at other levels than READ COMMITTED without `unrepeatableReads`. Default `explicit`.
   */
  readonly begin?: BeginMode;
  /** Accepts that reads before the first write see what others commit between them. Default false. */
  readonly unrepeatableReads?: boolean;
  /**
   * Begins transactions as branches of a two-phase commit (MySQL and MariaDB): a unit of work with several databases prepares all
   * of them before it commits the first. Default false.
   */
  readonly twoPhase?: boolean;
  /** False: nothing is accepted before `begin()`. Default true. */
  readonly autobegin?: boolean;
  /** Stores what was changed before a query that may read it. Default true. */
  readonly autoflush?: boolean;
  /**
   * Expires objects at `commit()`, as SQLAlchemy does: reading one throws until it was refreshed. Default false, because a
   * property cannot load.
   */
  readonly expireOnCommit?: boolean;
  /** Whose objects are tracked: what the session itself loads, everything loaded in it, or nothing. Default `session`. */
  readonly unitOfWork?: UnitOfWorkMode;
  /** Writes down which objects a transaction stores, for `beforeModelsCommitted` and `modelsCommitted`. Default false. */
  readonly trackModifications?: boolean;
  /**
   * Writes down the statements of each session for `getRecordedQueries()`, values included: the last 1 000, or as many as a number
   * from 1 says. Default false.
   */
  readonly recordQueries?: boolean | number;
  /** Notes of the application; each session gets a copy. */
  readonly info?: Readonly<Record<string, unknown>>;
  /** What messages call the session. Default: the scope's label, else "a session". */
  readonly label?: string;
}

const notes: Rule<Readonly<Record<string, unknown>>> = (value, name) => {
  if (!isPlainObject(value)) throw new InvalidOptionError(`${name} must be a plain object.`);
  return value;
};

const unitOfWorkMode: Rule<UnitOfWorkMode> = oneOf(UNIT_OF_WORK_MODES);
const beginMode: Rule<BeginMode> = oneOf(BEGIN_MODES);

export const SESSION_RULES: Rules<SessionOptions> = {
  isolation: (value, name) => isolationLevel(value, name),
  readOnly: flag,
  begin: beginMode,
  unrepeatableReads: flag,
  twoPhase: flag,
  autobegin: flag,
  autoflush: flag,
  expireOnCommit: flag,
  unitOfWork: unitOfWorkMode,
  trackModifications: flag,
  recordQueries: (value, name) => (typeof value === 'number' ? integer(1)(value, name) : flag(value, name)),
  info: notes,
  label: text,
};

/** The rules of `begin(options)`. */
export const TRANSACTION_RULES: Rules<Pick<SessionOptions, 'isolation' | 'readOnly'>> = {
  isolation: SESSION_RULES.isolation,
  readOnly: flag,
};

/** Where messages go that nobody waits for. */
export type Warn = (message: string) => void;
