/** Savepoints of a session, as handles and as blocks, beside those of the model. */
import { Difference, equal } from './sequence-comparison.js';
import { verdictOf } from './sequence-flush.js';
import { flushed, flushing, Refused, refused } from './sequence-flushing.js';
import type { Operation } from './sequence-operations.js';
import type { SequenceState } from './sequence-state.js';
import type { Verdict } from './sequence-verdict.js';

class Planned extends Error {}

export async function savepoint(run: SequenceState): Promise<boolean> {
  if (run.blocks > 0 || run.handles.length > 2) return false;
  const count = run.handles.length;
  return flushing(run, 'savepoint', async () => {
    run.handles.push(await run.session.beginNested());
  }).then((done) => {
    if (run.handles.length > count) run.model.begin();
    return done;
  });
}

export async function endSavepoint(
  run: SequenceState,
  { do: what, savepoint: place }: { do: 'release' | 'roll back to'; savepoint: number },
): Promise<boolean> {
  const handle = run.handles[place];
  if (run.blocks > 0 || handle === undefined) return false;
  if (what === 'roll back to') {
    await handle.rollback();
    run.handles.length = place;
    run.model.rollBackTo(place + 1);
    return true;
  }
  let isDone = false;
  await flushing(run, 'release', async () => {
    await handle.commit();
    isDone = true;
  });
  if (!isDone) return true;
  run.handles.length = place;
  run.model.release(place + 1);
  return true;
}

export async function block(
  run: SequenceState,
  { operations, throws }: Operation & { do: 'block' },
  perform: (operation: Operation) => Promise<boolean>,
): Promise<boolean> {
  const depth = run.model.savepoints;
  const before = verdictOf(run.model);
  let verdict: Verdict = before;
  let isInside = false;
  try {
    await run.session.beginNested(async () => {
      flushed(run);
      run.model.begin();
      isInside = true;
      run.blocks += 1;
      run.comparison.all(run.session, false);
      for (const operation of operations) await perform(operation);
      if (throws) throw new Planned();
      verdict = verdictOf(run.model);
    });
  } catch (error) {
    if (isInside) run.blocks -= 1;
    if (error instanceof Difference) throw error;
    if (!isInside) {
      await refused(run, 'block', before, error);
      return true;
    }
    const isExpected = error instanceof Planned || error instanceof Refused || verdict === 'refused';
    if (!isExpected) throw new Difference(`the block failed: ${String(error)}`, { cause: error });
    run.model.rollBackTo(depth + 1);
    equal('isActive after a block', run.session.isActive, true);
    return true;
  }
  run.blocks -= 1;
  if (verdict === 'refused')
    throw new Difference('the block ended, the model says that its flush is refused');
  flushed(run);
  run.model.release(depth + 1);
  return true;
}
