/** Tells how an object is: its state, the key of its row, what is expired and what is changed. */
import type { ObjectLiteral } from 'typeorm';
import { changedProperties } from './is-changed.js';
import { trackedOf } from './stamp.js';
import type { ObjectState } from './tracked-object.js';

/** What `inspect` tells of an object. */
export interface ObjectInspection {
  readonly state: ObjectState;
  /** The values of the primary key of its row; undefined for what has none. */
  readonly identity: ObjectLiteral | undefined;
  /** A flush deleted its row, and was not rolled back. */
  readonly wasDeleted: boolean;
  /** The properties that throw when they are read, until the object is refreshed. */
  readonly expired: readonly string[];
  /** The properties that a flush would store. */
  readonly changed: readonly string[];
}

const TRANSIENT: ObjectInspection = Object.freeze({
  state: 'transient',
  identity: undefined,
  wasDeleted: false,
  expired: [],
  changed: [],
});

export function inspectObject(entity: object): ObjectInspection {
  const tracked = trackedOf(entity);
  if (tracked === undefined) return TRANSIENT;
  const { shape, state, wasDeleted, expired = [] } = tracked;
  const isStored = state !== 'pending';
  return {
    state,
    identity: isStored ? shape.metadata.getEntityIdMap(entity) : undefined,
    wasDeleted: wasDeleted || state === 'deleted',
    expired: [...expired],
    changed: isStored ? changedProperties(tracked) : [],
  };
}
