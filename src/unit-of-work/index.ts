/** What changed: the identity map, and what is loaded through it. */
export { expire } from './expire.js';
export { IDENTITY, identityOf, type IdentityRunner } from './identity.js';
export { IdentityMap } from './identity-map.js';
export { IdentityQueryBuilder, selectBuilder, trackingBuilder } from './identity-query-builder.js';
export { OBJECT_STATES, type ObjectState, TrackedObject } from './tracked-object.js';
