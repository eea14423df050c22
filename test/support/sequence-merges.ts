/** Merges a detached object, or a plain one of its row, into a session and the model. */
import { equal } from './sequence-comparison.js';
import { CLASSES, SHAPES } from './sequence-entities.js';
import { doomedIn, flushModel, verdictOf } from './sequence-flush.js';
import { flushing } from './sequence-flushing.js';
import type { Operation } from './sequence-operations.js';
import type { SequenceState } from './sequence-state.js';
import type { Thing } from './sequence-thing.js';

export async function merge(
  run: SequenceState,
  operation: Operation & { do: 'merge' | 'merge plain' },
): Promise<boolean> {
  const source = run.model.things.get(operation.name);
  const row = source && run.model.rowOf(source);
  const isWhole = operation.do === 'merge';
  if (row === undefined || verdictOf(run.model) === 'refused') return false;
  if (isWhole && (source!.state !== 'detached' || !isBare(source!))) return false;
  const { kind } = source!;
  const { key } = SHAPES[kind];
  const target = run.model.of(kind, source!.row);
  if (target !== undefined && doomedIn(run.model).has(target)) return false;
  const values = isWhole
    ? { ...source!.memory.columns }
    : { [key]: row[key]!, [operation.column]: operation.value };
  const copy = isWhole ? run.object(source!) : Object.assign(new CLASSES[kind](), values);
  const next = run.model.copy();
  flushModel(next, ({ name }) => `new ${name}`);
  const stored = next.tables.rows[kind].get(source!.row!);
  if (stored === undefined) return false;
  const isStale = values['version'] !== undefined && values['version'] !== stored['version'];
  let merged: object | undefined;
  await flushing(
    run,
    'merge',
    async () => {
      merged = await run.session.merge(copy).catch((error: { code: string }) => {
        if (error.code !== 'SS_ERR_STALE_DATA' || !isStale) throw error;
        return undefined;
      });
    },
    false,
  );
  run.comparison.takeNew(run.session);
  equal('merge of a stale object', merged === undefined, isStale);
  if (merged === undefined) return true;
  const thing = run.comparison.thing(merged)!;
  run.model.load(thing);
  for (const [column, value] of Object.entries(values)) {
    if (column === 'version') continue;
    thing.memory.columns[column] = value;
    thing.expired.delete(column);
  }
  return true;
}

/** Of its relations nothing is loaded. */
function isBare({ memory, expired }: Thing): boolean {
  return Object.keys(memory.ends).length + Object.keys(memory.lists).length + expired.size === 0;
}
