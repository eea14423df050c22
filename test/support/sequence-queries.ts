/** Asks a session alone or twice at once, with the flush that a question brings. */
import type { ObjectLiteral } from 'typeorm';
import { checkAnswer } from './sequence-answers.js';
import { CLASSES } from './sequence-entities.js';
import { verdictOf } from './sequence-flush.js';
import { flushing } from './sequence-flushing.js';
import type { Query } from './sequence-operations.js';
import type { SequenceState } from './sequence-state.js';
import { expireThing } from './sequence-thing.js';

export async function twoQueries(
  run: SequenceState,
  [one, other]: readonly [Query, Query],
): Promise<boolean> {
  const verdict = verdictOf(run.model);
  if (verdict === 'refused' || verdict === 'unclear') return false;
  // What is refreshed loses its changes before anything is sent.
  for (const query of [one, other])
    if (query.do === 'refresh' && [...run.model.attached()].some((thing) => run.model.isChanged(thing)))
      return false;
  if (!isPossible(run, one) || !isPossible(run, other)) return false;
  // Whether it is asked before or after the other's flush is left to the clock.
  if (verdict === 'stored' && (one.do === 'get' || other.do === 'get')) return false;
  const found: unknown[] = [];
  if (one.do === 'refresh') expireThing(run.model.things.get(one.name)!);
  if (other.do === 'refresh') expireThing(run.model.things.get(other.name)!);
  await flushing(
    run,
    'both',
    async () => found.push(...(await Promise.all([ask(run, one), ask(run, other)]))),
    false,
  );
  checkAnswer(run, one, found[0]);
  checkAnswer(run, other, found[1]);
  return true;
}

export async function oneQuery(run: SequenceState, query: Query): Promise<boolean> {
  if (!isPossible(run, query)) return false;
  let found: unknown;
  let isAnswered = false;
  if (query.do === 'refresh') {
    const copy = run.model.copy();
    expireThing(copy.things.get(query.name)!);
    if (verdictOf(copy) === 'unclear') return false;
    expireThing(run.model.things.get(query.name)!);
  }
  await flushing(
    run,
    query.do,
    async () => {
      found = await ask(run, query);
      isAnswered = true;
    },
    false,
  );
  if (isAnswered) checkAnswer(run, query, found);
  return true;
}

function isPossible(run: SequenceState, query: Query): boolean {
  if (query.do === 'get') return run.model.things.get(query.name)?.row !== undefined;
  if (query.do === 'posts of') return run.model.things.get(query.author)?.row !== undefined;
  return query.do !== 'refresh' || run.persistent(query.name) !== undefined;
}

async function ask(run: SequenceState, query: Query): Promise<unknown> {
  const session = run.session;
  switch (query.do) {
    case 'find': {
      const relations = Object.fromEntries(query.relations.map((relation) => [relation, true]));
      return session.find<ObjectLiteral>(CLASSES[query.kind], { relations });
    }
    case 'find by':
      return session.findBy<ObjectLiteral>(CLASSES[query.kind], { [query.column]: query.value });
    case 'count':
      return session.count<ObjectLiteral>(CLASSES[query.kind]);
    case 'posts of':
      return session
        .query(CLASSES.post, 'post')
        .innerJoin('post.author', 'author')
        .where('author.id = :id', { id: Number(run.model.things.get(query.author)!.row) })
        .getMany();
    case 'get': {
      const { kind, row } = run.model.things.get(query.name)!;
      return session.get<ObjectLiteral>(CLASSES[kind], kind === 'tag' ? row! : Number(row));
    }
    default:
      return session.refresh(run.comparison.object(query.name)).catch((error: { code: string }) => {
        if (error.code !== 'SS_ERR_OBJECT_DELETED') throw error;
        return error.code;
      });
  }
}
