/** Stores everything that was added, changed and deleted in a unit of work, and nothing else. */
import type { QueryRunner } from 'typeorm';
import { DirtyWalk } from './dirty-walk.js';
import { EntityWrites } from './entity-writes.js';
import { FlushPlan } from './flush-plan.js';
import type { IdentityMap } from './identity-map.js';
import { removeJunctions, storeJunctions } from './junctions.js';
import { walkKnowingRows } from './known-rows.js';
import { followDatabase } from './on-delete.js';
import { removeRows } from './removing.js';
import { RowStore } from './row-store.js';
import { Saving } from './saving.js';
import { type FlushedWork, settle } from './settle.js';
import { softRemoveRows } from './soft-removing.js';

export interface FlushOptions {
  /** Told of what is odd and no failure: a row that was to be deleted and was gone already. */
  readonly warn?: (message: string) => void;
}

/**
 * Sends what is to be stored. The map is written after the last statement only, and what was written into objects on the
 * way (keys, versions, dates) is taken back when a statement fails; the rows are for the transaction to roll back.
 *
 * @param runner - in a transaction; every statement goes through it
 * @returns undefined where nothing was to be stored
 */
export async function flush(
  map: IdentityMap,
  runner: QueryRunner,
  options: FlushOptions = {},
): Promise<FlushedWork | undefined> {
  // A lazy relation takes over what it was given one turn later.
  await Promise.resolve();
  const walk = await walkKnowingRows(map, runner);
  const plan = new FlushPlan(walk);
  if (plan.isEmpty) return undefined;
  plan.refuseOtherClasses();
  const writes = new EntityWrites();
  const store = new RowStore(runner, walk, writes, options.warn ?? (() => undefined));
  try {
    await new Saving(plan, store).run();
    await storeJunctions(plan.junctions, store);
    await removeJunctions(plan.deletes, store);
    await removeRows(plan.deletes, store);
    await softRemoveRows([...walk.softDeleted], store);
  } catch (error) {
    writes.undo();
    throw error;
  }
  const flushed = settle(plan, store);
  const { deleted, changed } = followDatabase(map, plan.deletes);
  return {
    ...flushed,
    deleted: [...flushed.deleted, ...deleted],
    changed: [...flushed.changed, ...changed],
  };
}

/** Whether a flush would send anything. */
export function isDirty(map: IdentityMap): boolean {
  return !new FlushPlan(new DirtyWalk(map)).isEmpty;
}
