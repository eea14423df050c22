/** The unit-of-work room: what changed, and how it is stored. */
export { type EntityShape, shapeOf } from './entity-shape.js';
export { flush, type FlushOptions, isDirty } from './flush.js';
export { IdentityMap } from './identity-map.js';
export { takeRelations } from './relation-values.js';
export { OBJECT_STATES, type ObjectState, TrackedObject } from './tracked-object.js';
