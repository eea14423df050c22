/** The unit-of-work room: one object per row, what was changed, and how that is stored. */
export { type EntityShape, shapeOf } from './entity-shape.js';
export { concernsUnflushed } from './autoflush.js';
export { expire } from './expire.js';
export { identify, type Identity } from './identifier.js';
export { IdentityView } from './identity-view.js';
export { inspectObject, type ObjectInspection } from './inspect-object.js';
export { forgetGone, isOf, loaded, membersNamed, refresh, type RowOptions, selectRow } from './loading.js';
export { Merge } from './merge.js';
export { expireMembers } from './expire.js';
export { flush, type FlushOptions, isDirty } from './flush.js';
export { IDENTITY, identityOf, type IdentityRunner } from './identity.js';
export { IdentityMap } from './identity-map.js';
export { IdentityQueryBuilder, trackingBuilder } from './identity-query-builder.js';
export { trackingManager } from './tracking-manager.js';
export { takeRelations } from './relation-values.js';
export { UnitOfWork } from './unit-of-work.js';
export { OBJECT_STATES, type ObjectState, TrackedObject } from './tracked-object.js';
