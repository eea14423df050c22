/** Tells TypeORM's subscribers what becomes of the transaction. */
import type { QueryRunner } from 'typeorm';
import type { Warn } from './session-options.js';

export type DecidedEvent =
  'AfterTransactionCommit' | 'BeforeTransactionRollback' | 'AfterTransactionRollback';

/** Before the COMMIT a subscriber may still prevent it: what it throws is thrown. */
export function beforeCommit(runner: QueryRunner): Promise<void> {
  return runner.broadcaster.broadcast('BeforeTransactionCommit');
}

/** When nothing can be changed any more, what a subscriber throws is reported. */
export async function tellDecided(
  event: DecidedEvent,
  runner: QueryRunner,
  label: string,
  warn: Warn,
): Promise<void> {
  try {
    await runner.broadcaster.broadcast(event);
  } catch (error) {
    warn(`${label}: a subscriber of ${event} failed: ${String(error)}`);
  }
}
