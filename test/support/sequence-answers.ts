/** Compares what a query has found with the rows of the model. */
import { equal } from './sequence-comparison.js';
import { doomedIn, flushModel, verdictOf } from './sequence-flush.js';
import type { Query } from './sequence-operations.js';
import type { SequenceState } from './sequence-state.js';
import type { Row } from './sequence-tables.js';
import type { Thing } from './sequence-thing.js';

export function checkAnswer(run: SequenceState, query: Query, found: unknown): void {
  const { model } = run;
  const after = model.copy();
  const verdict = verdictOf(model);
  if (verdict === 'stored') flushModel(after, ({ name }) => `new ${name}`);
  if (query.do === 'count') return equal('count', found, after.tables.rows[query.kind].size);
  run.comparison.takeNew(run.session);
  if (query.do === 'refresh')
    return checkOne(run, model.things.get(query.name)!, found !== 'SS_ERR_OBJECT_DELETED');
  if (query.do === 'get') {
    const { kind, row } = model.things.get(query.name)!;
    const thing = found === null ? undefined : run.comparison.thing(found as object);
    // What is in the session is not asked for, whatever is to become of it.
    if (thing !== undefined && model.of(kind, row) === thing) {
      equal(`get ${query.name}`, thing.row, row);
      return model.load(thing);
    }
    equal(`get ${query.name}`, thing?.row, after.tables.rows[kind].has(row!) ? row : undefined);
    if (thing !== undefined) return model.load(thing);
    // Whoever is expired, and has no row, is forgotten.
    const gone = model.of(kind, row);
    if (gone !== undefined && !doomedIn(model).has(gone)) gone.state = 'detached';
    return;
  }
  const kind = query.do === 'posts of' ? 'post' : query.kind;
  const key = query.do === 'posts of' ? model.things.get(query.author)!.row! : '';
  const isWanted = (row: Row): boolean => {
    if (query.do === 'posts of') return String(row['author']) === key;
    return query.do === 'find' || row[query.column] === query.value;
  };
  const expected = [...after.tables.rows[kind]].filter(([, row]) => isWanted(row)).map(([one]) => one);
  const things = (found as object[]).map((object) => run.comparison.thing(object)!);
  equal(`${query.do} ${kind}`, things.map((thing) => thing.row!).toSorted(), expected.toSorted());
  for (const thing of things) model.load(thing);
}

function checkOne(run: SequenceState, thing: Thing, isThere: boolean): void {
  equal(`row of ${thing.name}`, isThere, run.model.rowOf(thing) !== undefined);
  run.model.load(thing);
}
