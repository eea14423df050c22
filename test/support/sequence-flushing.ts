/** Whatever flushes a session: it stores what the model says, or is refused as the model says. */
import { Difference, equal } from './sequence-comparison.js';
import { CLASSES, SHAPES } from './sequence-entities.js';
import { flushModel, verdictOf } from './sequence-flush.js';
import type { SequenceState } from './sequence-state.js';
import { compareTables } from './sequence-stored-tables.js';
import type { Scalar } from './sequence-tables.js';
import type { Verdict } from './sequence-verdict.js';

/** A flush was refused, as the model foretold; whatever is around it is rolled back. */
export class Refused extends Error {}

/** @param isWhole - a flush for certain; else only where the statement is concerned */
export async function flushing(
  run: SequenceState,
  what: string,
  send: () => Promise<unknown>,
  isWhole = true,
): Promise<boolean> {
  const verdict = verdictOf(run.model);
  const writes = run.database.writes();
  try {
    await send();
  } catch (error) {
    if (error instanceof Difference) throw error;
    await refused(run, what, verdict, error);
    return true;
  }
  const hasFlushed = isWhole || run.database.writes() > writes || hasStoredNew(run);
  if (verdict === 'refused' && hasFlushed)
    throw new Difference(`${what} succeeded, the model says that the flush is refused`);
  if (hasFlushed) flushed(run);
  return true;
}

/** A new object that takes over a row as it is needs no statement. */
function hasStoredNew(run: SequenceState): boolean {
  const { new: added } = run.session;
  return [...run.model.attached()].some(
    (thing) => thing.state === 'pending' && !added.has(run.object(thing)),
  );
}

export function flushed(run: SequenceState): void {
  flushModel(run.model, ({ name, kind }) => {
    const key = Reflect.get(run.comparison.object(name), SHAPES[kind].key) as Scalar | undefined;
    if (key === undefined || key === null) throw new Difference(`${name} has no key after a flush`);
    return key;
  });
}

export async function refused(
  run: SequenceState,
  what: string,
  verdict: Verdict,
  error: unknown,
): Promise<void> {
  if (verdict !== 'refused')
    throw new Difference(`${what} failed, the model says ${verdict}: ${String(error)}`, { cause: error });
  equal('isActive after a flush that failed', run.session.isActive, false);
  const code = await run.session.count(CLASSES.tag).then(
    () => 'none',
    (later: { code: string }) => later.code,
  );
  equal('the error after a flush that failed', code, 'SS_ERR_PENDING_ROLLBACK');
  if (run.blocks > 0) throw new Refused();
  const handle = run.handles.pop();
  if (handle === undefined) {
    await run.session.rollback();
    run.model.rollBack();
    await compareTables(run);
  } else {
    await handle.rollback();
    run.model.rollBackTo(run.model.savepoints);
  }
  equal('isActive after the rollback', run.session.isActive, true);
}
