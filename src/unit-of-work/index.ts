/** The unit-of-work room: one object per row, what was changed, and how that is stored. */
export { type EntityShape, shapeOf } from './entity-shape.js';
export { expire } from './expire.js';
export { flush, type FlushOptions, isDirty } from './flush.js';
export { IDENTITY, identityOf, type IdentityRunner } from './identity.js';
export { IdentityMap } from './identity-map.js';
export { IdentityQueryBuilder, selectBuilder, trackingBuilder } from './identity-query-builder.js';
export { takeRelations } from './relation-values.js';
export { giveToJson } from './to-json.js';
export { OBJECT_STATES, type ObjectState, TrackedObject } from './tracked-object.js';
export { withoutCycles } from './without-cycles.js';
