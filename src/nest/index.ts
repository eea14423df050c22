/** The nest room: modules, decorators, middleware, interceptor. */
export { type ReadYourWritesOptions } from './client-of.js';
export { dataSourceOptionsFromEnv } from './environment.js';
export { InjectSession } from './inject-session.decorator.js';
export {
  ABORT_POLICIES,
  type AbortPolicy,
  type ExcludedRoute,
  type ScopedSessionModuleAsyncOptions,
  type ScopedSessionModuleOptions,
  type ScopedSessionOptionsFactory,
  type UnitOfWorkOptions,
} from './module-options.js';
export { scopedDataSource } from './scoped-data-source.js';
export { ScopedSessionModule } from './scoped-session.module.js';
export { Session } from './session.decorator.js';
export { SessionErrorFilter } from './session-error.filter.js';
export { SessionInterceptor } from './session.interceptor.js';
export { SessionScope } from './session-scope.decorator.js';
export { SessionOptions, type HandlerOptions } from './session-options.decorator.js';
export type { DecoratableMethod, SessionMethodDecorator } from './decorated-method.js';
export { own } from './method-owners.js';
export { Transactional, type TransactionalMethodOptions } from './transactional.decorator.js';
export {
  type EntityOrRepository,
  getScopedSessionToken,
  getSessionToken,
  InjectRepository,
  InjectScopedSession,
} from './tokens.js';
