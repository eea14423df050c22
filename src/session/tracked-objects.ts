/** What savepoints need of the objects that a session tracks. */

/** The objects of the session, as far as savepoints concern them; numbers count from the outermost, which is 1. */
export interface TrackedObjects {
  /** Stores what was changed until now; whoever calls has the turn. */
  flushInTurn(): Promise<unknown>;
  opened(): void;
  released(number: number): void;
  rolledBackTo(number: number): void;
}

const nothing = (): void => undefined;

/** Of a session that tracks none. */
export const NO_OBJECTS: TrackedObjects = {
  flushInTurn: async () => undefined,
  opened: nothing,
  released: nothing,
  rolledBackTo: nothing,
};
