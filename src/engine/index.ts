/** The engine room: where connections come from, and that they go back clean. */
export { adopt, prepare, type Adoption, type AdoptionSeam } from './adoption.js';
export { DATABASE_FAMILIES, type DatabaseFamily, type PoolCounters } from './backend.js';
export { createEngine, engineOf, hasEngine, isDataSource } from './create-engine.js';
export { refuseLargerPool } from './driver-limit.js';
export { isWrite, withoutComments } from './is-write.js';
export { dataSourceOptionsFromUrl } from './database-url.js';
export { withDeadline } from './deadline.js';
export { Engine } from './engine.js';
export { classifyFailure } from './failures.js';
export {
  ENGINE_RULES,
  SQLITE_CONNECTIONS,
  type EngineOptions,
  type SqliteConnections,
} from './engine-options.js';
export {
  BEGIN_MODES,
  type BeginMode,
  type BeginSettings,
  ISOLATION_LEVELS,
  isolationLevel,
  type IsolationLevel,
  type TransactionOptions,
} from './isolation.js';
export {
  anything,
  callable,
  describe,
  flag,
  integer,
  isPlainObject,
  listOf,
  oneOf,
  readOptions,
  text,
  type Rule,
  type Rules,
} from './option-rules.js';
export { type LeaseOwner, LeaseSlot } from './lease.js';
export {
  PRE_PING_MODES,
  RESET_MODES,
  type PoolOptions,
  type PrePingMode,
  type ResetMode,
} from './pool-options.js';
export { type InDoubtBranch, type InDoubtUnit, type RecoverOptions, recoverTwoPhase } from './recover.js';
export { RawConnection } from './raw-connection.js';
export type { ReplicaStatus } from './replica.js';
export { LinkedList } from './linked-list.js';
export { ownFile } from './own-file.js';
export type { NestedWork, Persistence, RunnerOwner, Spoilt } from './runner-owner.js';
export { NO_RECORDER, type SentStatement, type StatementRecorder } from './statement-recorder.js';
export { SUPPORTED_DRIVERS, type SupportedDriver } from './supported-drivers.js';
export { TransactionRunner } from './transaction-runner.js';
