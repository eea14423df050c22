/** Lets the application itself write a tracked object as JSON, cycles or not: in a handler, for a cache, for a log. */
import type { TrackedObject } from './tracked-object.js';
import { withoutCycles } from './without-cycles.js';

/** One function for all: JSON.stringify calls it on the object. Not enumerable, so that no comparison and no copy sees it. */
const TO_JSON: PropertyDescriptor = {
  value: function toJSON(this: object): object {
    return withoutCycles(this);
  },
  enumerable: false,
  configurable: true,
  writable: true,
};

/** For one that is in a graph: a relation of it was loaded, or it was added with what it leads to. Its own way comes first. */
export function giveToJson({ entity }: TrackedObject): void {
  if (!('toJSON' in entity)) Object.defineProperty(entity, 'toJSON', TO_JSON);
}
