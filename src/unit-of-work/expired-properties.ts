/** Properties whose values are not to be trusted any more: reading one throws, assigning one makes it a value again. */
import { DetachedInstanceError, ExpiredPropertyError } from '../errors.js';
import type { TrackedObject } from './tracked-object.js';

/** Node cannot load in a getter, as SQLAlchemy does: whoever reads is told what to await. */
export function expireProperty(tracked: TrackedObject, name: string): void {
  (tracked.expired ??= new Set()).add(name);
  Object.defineProperty(tracked.entity, name, {
    configurable: true,
    enumerable: true,
    get: () => {
      throw refusal(tracked, name);
    },
    set: (value: unknown) => {
      forgetExpired(tracked, name);
      (tracked.entity as Record<string, unknown>)[name] = value;
    },
  });
}

/** The property is not loaded, and can be written as TypeORM writes it. */
export function forgetExpired(tracked: TrackedObject, name: string): void {
  if (tracked.expired?.delete(name) !== true) return;
  if (tracked.expired.size === 0) tracked.expired = undefined;
  delete (tracked.entity as Record<string, unknown>)[name];
}

export function forgetAllExpired(tracked: TrackedObject): void {
  for (const name of tracked.expired ?? []) forgetExpired(tracked, name);
}

function refusal({ shape, state }: TrackedObject, name: string): Error {
  const property = `${shape.metadata.name}.${name}`;
  if (state === 'detached') {
    return new DetachedInstanceError(
      `${property} was expired, and its object belongs to no session any more that could load it. Read it before the ` +
        'session ends, or add the object to a session and refresh it there.',
    );
  }
  return new ExpiredPropertyError(
    `${property} was expired by a rollback, a commit or expire(), and a property cannot load. Call ` +
      `await session.refresh(object) first, or load the object by a query.`,
  );
}
