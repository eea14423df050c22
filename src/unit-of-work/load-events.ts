/** Tells listeners and subscribers what was loaded: each object once, and nothing that it leads to. */
import type { EntityMetadata, EntitySubscriberInterface, QueryRunner } from 'typeorm';
import type { TrackedObject } from './tracked-object.js';
import { dataSourceOf, loadEvent } from './typeorm-versions.js';

/** TypeORM's own rule of who listens to which class. */
interface Audience {
  isAllowedSubscriber(subscriber: EntitySubscriberInterface, target: EntityMetadata['target']): boolean;
}

/**
 * TypeORM's own broadcast follows every relation and never ends on a graph with a cycle. What a listener writes into the
 * object (a decrypted text, say) is a part of loading it, and no change.
 */
export async function broadcastLoads(runner: QueryRunner, loaded: readonly TrackedObject[]): Promise<void> {
  const told: TrackedObject[] = [];
  const waiting: unknown[] = [];
  const subscribers = dataSourceOf(runner).subscribers.filter((one) => one.afterLoad !== undefined);
  for (const tracked of loaded) {
    // Nearly always nobody listens, to any of thousands.
    if (subscribers.length === 0 && tracked.shape.metadata.afterLoadListeners.length === 0) continue;
    const calls = callsFor(runner, subscribers, tracked);
    if (calls.length === 0) continue;
    told.push(tracked);
    const changed = new Set(tracked.changedColumns());
    for (const call of calls) {
      const result = call();
      if (result instanceof Promise) waiting.push(result.finally(() => takeLoaded(tracked, changed)));
    }
    takeLoaded(tracked, changed);
  }
  await Promise.all(waiting);
}

function callsFor(
  runner: QueryRunner,
  subscribers: readonly EntitySubscriberInterface[],
  { entity, shape }: TrackedObject,
): (() => unknown)[] {
  const { metadata } = shape;
  const listeners = metadata.afterLoadListeners.filter((listener) => listener.isAllowed(entity));
  const audience = runner.broadcaster as unknown as Audience;
  return [
    ...listeners.map((listener) => (): unknown => listener.execute(entity)),
    ...subscribers
      .filter((subscriber) => audience.isAllowedSubscriber(subscriber, metadata.target))
      .map((subscriber) => (): unknown => subscriber.afterLoad!(entity, loadEvent(runner, entity, metadata))),
  ];
}

/** Except for what was changed, and not stored, before a refresh. */
function takeLoaded(tracked: TrackedObject, changed: ReadonlySet<number>): void {
  const now = tracked.values();
  tracked.snapshot = now.map((value, place) => (changed.has(place) ? tracked.snapshot[place] : value));
}
