/** What the model says of a flush before it is done: whether a database would take it. */
/** `unclear`: it depends on the order of the statements, or on what nobody promised; no sequence comes there. */
export const VERDICTS = ['nothing', 'stored', 'refused', 'unclear'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** What was found out about a flush until now. */
export class Outcome {
  isRefused = false;
  isUnclear = false;
  isStored = false;

  get verdict(): Verdict {
    if (this.isUnclear) return 'unclear';
    if (this.isRefused) return 'refused';
    return this.isStored ? 'stored' : 'nothing';
  }
}
