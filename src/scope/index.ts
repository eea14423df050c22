/** The scope room: which unit of work the running code is in. */
export { AsyncLocalRegistry } from './async-local-registry.js';
export { currentScope, runInScope, type RunInScopeOptions } from './run-in-scope.js';
export { Scope, type ScopeSettings } from './scope.js';
export { currentContext, currentFrame, runInFrame, runWithScope, type ScopeRole } from './scope-storage.js';
export { ScopedRegistry, type Registry } from './scoped-registry.js';
