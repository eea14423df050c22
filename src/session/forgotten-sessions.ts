/** Notices sessions that were dropped without `close()` while they held a connection. */
import type { LeaseSlot } from '../engine/index.js';
import type { Warn } from './session-options.js';

interface Watched {
  readonly slot: LeaseSlot;
  readonly label: string;
  readonly warn: Warn;
}

const forgotten = new FinalizationRegistry<Watched>(({ slot, label, warn }) => {
  if (slot.lease === undefined) return;
  // Closed, not given back: nobody is left who could say what was done on it.
  slot.lease.destroy();
  warn(
    `${label} was forgotten while it held a connection; its transaction was rolled back. Close every session ` +
      '(await using, factory.begin(fn), or a scope).',
  );
});

/** Watches `session`; what is kept for it must not lead back to it, or it would never be collected. */
export function noticeForgotten(session: object, watched: Watched): void {
  forgotten.register(session, watched);
}
