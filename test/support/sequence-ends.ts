/** Ends the transaction of a session, or closes it, and compares what is stored then. */
import { flushing } from './sequence-flushing.js';
import type { SequenceState } from './sequence-state.js';
import { compareTables } from './sequence-stored-tables.js';

export async function commit(run: SequenceState): Promise<boolean> {
  if (run.blocks > 0) return false;
  let isDone = false;
  await flushing(run, 'commit', async () => {
    await run.session.commit();
    isDone = true;
  });
  if (!isDone) return true;
  run.handles = [];
  run.model.release(1);
  run.model.commit(run.expires);
  await compareTables(run);
  return true;
}

export async function rollback(run: SequenceState): Promise<boolean> {
  if (run.blocks > 0) return false;
  const isInTransaction = run.session.inTransaction();
  await run.session.rollback();
  run.handles = [];
  if (isInTransaction) run.model.rollBack();
  await compareTables(run);
  return true;
}

export async function close(run: SequenceState, isFresh: boolean): Promise<boolean> {
  if (run.blocks > 0) return false;
  await run.session.close();
  run.handles = [];
  run.model.close();
  if (isFresh) run.session = run.open();
  await compareTables(run);
  return true;
}
