/** What a session's transaction is made with. */
import type { BeginSettings, StatementRecorder } from '../engine/index.js';
import type { Scope } from '../scope/index.js';
import type { UnitOfWorkMode, Warn } from './session-options.js';
import type { TrackingSettings } from './tracking.js';

export interface TransactionSettings extends BeginSettings, TrackingSettings {
  /** Left out, the scope's name at the moment when somebody asks. */
  readonly label: string | undefined;
  /** What errors call its database. */
  readonly database: string;
  /** The unit of work, the same in all its databases. */
  readonly unitId: string;
  readonly autobegin: boolean;
  /** The unit of work that the session is in; what it sets for itself goes before the session's own options. */
  readonly scope: Scope | undefined;
  /** Tells of something that nobody waits for. */
  readonly warn: Warn;
  /** Told of the statements that are sent. */
  readonly recorder: StatementRecorder;
  readonly unitOfWork: UnitOfWorkMode;
  readonly expireOnCommit: boolean;
  /** Milliseconds that the end waits for statements which nobody awaited. */
  readonly settleTimeoutMs: number;
}
