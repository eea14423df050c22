/** A savepoint as it stands on the server. */

export class Savepoint {
  isOpen = true;

  constructor(readonly name: string) {}
}
