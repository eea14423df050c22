/** The unit-of-work room: one object per row, what was changed, and how that is stored. */
export { type EntityShape, shapeOf } from './entity-shape.js';
export {
  ChangeLog,
  type Changes,
  MODEL_OPERATIONS,
  type ModelChange,
  type ModelOperation,
  NO_CHANGES,
} from './change-log.js';
export { concernsUnflushed } from './autoflush.js';
export { rowsOfObjects, rowsToInsert, rowsToUpdate, storeRows, type BulkRow } from './bulk.js';
export { copyOf } from './copy-of-query.js';
export { countOf } from './count-of-query.js';
export { expire } from './expire.js';
export { identify, type Identity } from './identifier.js';
export { GivenObjects, tellMade } from './given-objects.js';
export { IdentityView } from './identity-view.js';
export { inspectObject, type ObjectInspection } from './inspect-object.js';
export { forgetGone, isOf, loaded, membersNamed, refresh, type RowOptions, selectRow } from './loading.js';
export { Merge } from './merge.js';
export { expireMembers } from './expire.js';
export { flush, type FlushOptions, isDirty } from './flush.js';
export { FollowedWrites } from './followed-writes.js';
export { FollowingBroadcaster } from './following-broadcaster.js';
export { IDENTITY, identityOf, type IdentityRunner, TRACKS_EVERYTHING } from './identity.js';
export { IdentityMap } from './identity-map.js';
export { IdentityQueryBuilder, trackingBuilder } from './identity-query-builder.js';
export { trackedBuilder, trackingManager } from './tracked-loads.js';
export { takeRelations } from './relation-values.js';
export { UnitOfWork } from './unit-of-work.js';
export { giveToJson } from './to-json.js';
export { OBJECT_STATES, type ObjectState, TrackedObject } from './tracked-object.js';
export { dataSourceOf } from './typeorm-versions.js';
export { withoutCycles } from './without-cycles.js';
