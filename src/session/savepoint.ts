/** A savepoint as it stands on the server. */

export class Savepoint {
  isOpen = true;
  /** Rolled back already, and not ended by its owner yet. */
  isUndone = false;

  constructor(readonly name: string) {}
}
