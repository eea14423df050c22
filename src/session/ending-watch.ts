/** Who is around the end of a unit of work: whoever has its sessions, and whoever knows that it has not ended. */
import type { SessionBase } from './session.js';

/** Whoever has the sessions of the running code's scope. */
export interface SessionSource {
  readonly registry: { has(): boolean; get(): SessionBase };
}

/** Knows the units of work that have not ended yet. */
export interface Watch<Work> {
  /** Returns what takes it off again. */
  begun(work: Work): () => void;
  /** One less. */
  ended(): void;
}

/** Of work that nobody waits for. */
export const UNWATCHED: Watch<unknown> = { begun: () => () => undefined, ended: () => undefined };
