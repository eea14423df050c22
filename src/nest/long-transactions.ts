/** Notices answers that hold a transaction open while they are given out: they lock out others for as long as their reader likes. */
import type { Scope } from '../scope/index.js';
import { startedTransactionOf } from '../session/index.js';
import type { ActiveWork } from './active-work.js';
import type { Databases } from './databases.js';

/** How long a transaction may be open while pieces are given out. */
const LONG_MS = 1_000;

export class LongTransactions {
  constructor(
    private readonly work: Pick<ActiveWork, 'warnOnce'>,
    private readonly databases: Databases,
  ) {}

  /** What is to be called whenever a piece is asked for, or leaves. */
  watch(scope: Scope): () => void {
    let since: number | undefined;
    let commits = -1;
    return () => {
      const isOpen = this.#isOpen(scope);
      if (!isOpen || scope.commits !== commits) since = undefined;
      ({ commits } = scope);
      if (!isOpen) return;
      since ??= performance.now();
      if (performance.now() - since >= LONG_MS) this.#warn(scope);
    };
  }

  #isOpen(scope: Scope): boolean {
    return this.databases.scoped.some((scoped) => {
      const session = scoped.sessionOf(scope);
      return session !== undefined && startedTransactionOf(session)?.isConnected === true;
    });
  }

  #warn({ label }: Scope): void {
    this.work.warnOnce(
      `${label}: a transaction has been open for more than ${LONG_MS} ms while its body or its events are given out; it keeps ` +
        'its connection and its locks for as long as the client reads. Call session.commit() between the pieces.',
    );
  }
}
