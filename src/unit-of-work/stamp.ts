/** Finds the tracked object of an entity: it is written on the entity itself, where nothing else can see it. */
import type { TrackedObject } from './tracked-object.js';

// What a constructor returns gets the private fields of the class: no copy, no key and no comparison finds them.
const Itself = function (entity: object): object {
  return entity;
} as unknown as new (entity: object) => object;

class Stamp extends Itself {
  #tracked: TrackedObject | undefined;

  static read(entity: object): TrackedObject | undefined {
    return #tracked in entity ? entity.#tracked : undefined;
  }

  static isCleared(entity: object): boolean {
    return #tracked in entity && entity.#tracked === undefined;
  }

  static write(entity: object, tracked: TrackedObject | undefined): void {
    const stamp = #tracked in entity ? entity : new Stamp(entity);
    stamp.#tracked = tracked;
  }
}

/** Whatever unit of work it is or was in; undefined for one that is transient. */
export function trackedOf(entity: object): TrackedObject | undefined {
  return Stamp.read(entity);
}

/** It was tracked once, and is transient: a rollback took its row away, or makeTransient its tie to it. */
export function isTransientAgain(entity: object): boolean {
  return Stamp.isCleared(entity);
}

export function stamp(tracked: TrackedObject): void {
  Stamp.write(tracked.entity, tracked);
}

/** The entity is transient again. */
export function unstamp({ entity }: TrackedObject): void {
  Stamp.write(entity, undefined);
}
