/** Does the operations of a sequence on a session and on the model, and compares them after each. */
import { close, commit, rollback } from './sequence-ends.js';
import { flushing } from './sequence-flushing.js';
import { merge } from './sequence-merges.js';
import type { Model } from './sequence-model.js';
import { changeAndBack, editObjects, expireObject } from './sequence-object-edits.js';
import type { Operation } from './sequence-operations.js';
import { oneQuery, twoQueries } from './sequence-queries.js';
import { block, endSavepoint, savepoint } from './sequence-savepoints.js';
import { type SequenceDatabase, SequenceState } from './sequence-state.js';

const LOADING: ReadonlySet<Operation['do']> = new Set([
  'find',
  'find by',
  'posts of',
  'get',
  'refresh',
  'both',
  'merge',
  'merge plain',
]);

export class SequenceRun {
  readonly #state: SequenceState;

  constructor(database: SequenceDatabase, expires: boolean) {
    this.#state = new SequenceState(database, expires);
  }

  get model(): Model {
    return this.#state.model;
  }

  /** False where the operation makes no sense now, and was left out. */
  async perform(operation: Operation): Promise<boolean> {
    const done = await this.#do(operation);
    if (done) this.#state.comparison.all(this.#state.session, LOADING.has(operation.do));
    return done;
  }

  async end(): Promise<void> {
    await this.#state.session.close();
  }

  #do(operation: Operation): Promise<boolean> {
    const run = this.#state;
    switch (operation.do) {
      case 'flush':
        return flushing(run, 'flush', () => run.session.flush());
      case 'find':
      case 'find by':
      case 'count':
      case 'posts of':
      case 'get':
      case 'refresh':
        return oneQuery(run, operation);
      case 'both':
        return twoQueries(run, operation.queries);
      case 'expire':
        return expireObject(run, operation.name);
      case 'change and back':
        return changeAndBack(run, operation);
      case 'merge':
      case 'merge plain':
        return merge(run, operation);
      case 'savepoint':
        return savepoint(run);
      case 'release':
      case 'roll back to':
        return endSavepoint(run, operation);
      case 'block':
        return block(run, operation, (one) => this.perform(one));
      case 'commit':
        return commit(run);
      case 'rollback':
        return rollback(run);
      case 'close':
        return close(run, operation.isFresh);
      default:
        return editObjects(run, operation);
    }
  }
}
