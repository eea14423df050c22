/** The session room: sessions, their factories, the scoped session, and how units of work end. */
export type { Completion, RollbackOn } from './completion.js';
export { Ending, type EndingOptions, type EndingWatch } from './ending.js';
export { joinDataSource } from './joined-data-source.js';
export type { StatementParameters } from './named-parameters.js';
export { NestedTransaction } from './nested-transaction.js';
export {
  CLIENT_FOR_MS,
  COMMIT_MODES,
  commitMode,
  configureScope,
  keepUnstored,
  optionsOf,
  REPOSITORY_MODES,
  repositoryMode,
  SCOPE_RULES,
  type CommitMode,
  type RepositoryMode,
  type ScopeOptions,
} from './scope-options.js';
export { readRunOptions, type RunOptions } from './run-options.js';
export { scopedSession } from './new-scoped-session.js';
export { ScopedSession } from './scoped-session.js';
export type {
  SessionApi,
  SessionObjects,
  SessionReplicas,
  SessionStatements,
  SessionTransactions,
} from './session-api.js';
export { SessionBase } from './session.js';
export type { SessionHooks } from './session-hooks-api.js';
export { startedTransactionOf, transactionOf } from './session-core.js';
export {
  type BulkInsertOptions,
  type BulkSaveOptions,
  type EntityClass,
  type GetOptions,
  type Identifier,
  ROW_LOCKS,
  type RowLock,
  type SessionLoading,
  type SessionQuery,
  type SessionUnitOfWork,
} from './session-objects-api.js';
export { BindKey } from './bind-key.js';
export type { BindOptions, BindsOption, BindTarget } from './bind-options.js';
export type { BoundFactory, ReachedDatabase } from './bound-factory.js';
export type { BeginOptions, SessionClass, SessionFactoryOptions } from './factory-options.js';
export { watchPlainUse } from './plain-use.js';
export type { ModelsListener } from './model-signals.js';
export type { NotFound } from './not-found.js';
export { Pagination, type IterPagesOptions } from './pagination.js';
export type {
  GetOr404Options,
  NotFoundOptions,
  PaginateOptions,
  QueryOf,
  SessionConveniences,
} from './session-conveniences-api.js';
export type { MakeQuery, QueryProperty } from './query-property.js';
export { RecordedQuery } from './recorded-queries.js';
export { type RetryOptions, withRetry } from './retry.js';
export { isRetryable } from './retryable.js';
export { SessionFactory, sessionFactory } from './session-factory.js';
export {
  SESSION_RULES,
  UNIT_OF_WORK_MODES,
  type SessionOptions,
  type UnitOfWorkMode,
  type Warn,
} from './session-options.js';
export { type SessionPlace, SessionsOfScopes, type WorkHost } from './session-places.js';
export { PROPAGATIONS, propagation, type Propagation } from './propagation.js';
export { TRANSACTIONAL_RULES, type TransactionalOptions } from './transactional.js';
export { TransactionHooks } from './transaction-hooks.js';
export { StatementResult } from './statement-result.js';
