/** Who knows the units of work that have not ended. */
import type { Ending } from './ending.js';

/** Knows the units of work that have not ended yet. */
export interface EndingWatch {
  /** Returns what takes it off again. */
  begun(ending: Ending): () => void;
  /** One less. */
  ended(): void;
}

const nothing = (): void => undefined;
/** Nobody. */
export const UNWATCHED: EndingWatch = { begun: () => nothing, ended: nothing };
