/** Who wants to be told when a row of a class is stored: its listeners, and TypeORM's subscribers. */
import type { DataSource, EntityMetadata, EntitySubscriberInterface } from 'typeorm';

/** What can happen to a row. */
export const WRITES = ['insert', 'update', 'remove'] as const;
/** One of `WRITES`. */
export type Write = (typeof WRITES)[number];

const LISTENERS = {
  insert: ['beforeInsertListeners', 'afterInsertListeners'],
  update: ['beforeUpdateListeners', 'afterUpdateListeners'],
  remove: ['beforeRemoveListeners', 'afterRemoveListeners'],
} as const;

const SUBSCRIPTIONS = {
  insert: ['beforeInsert', 'afterInsert'],
  update: ['beforeUpdate', 'afterUpdate'],
  remove: ['beforeRemove', 'afterRemove'],
} as const;

export function isListenedTo(metadata: EntityMetadata, write: Write, { subscribers }: DataSource): boolean {
  return (
    LISTENERS[write].some((name) => metadata[name].length > 0) ||
    subscribers.some(
      (subscriber) =>
        SUBSCRIPTIONS[write].some((name) => subscriber[name] !== undefined) &&
        listensTo(subscriber, metadata),
    )
  );
}

/** TypeORM's own rule: no class, or Object, is every class; a class is itself and what extends it. */
function listensTo(subscriber: EntitySubscriberInterface, { target }: EntityMetadata): boolean {
  const listened = subscriber.listenTo?.();
  if (listened === undefined || listened === Object || listened === target) return true;
  return Object.prototype.isPrototypeOf.call(listened, target as object);
}
