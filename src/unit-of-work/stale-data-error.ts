/** Somebody else was faster: a flush was to change rows and found fewer of them. */

// It gets its code when a session throws it.
export class StaleDataError extends Error {}
