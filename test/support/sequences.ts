/** Runs random sequences; one that shows a difference is cut down to the operations that it needs, and told. */
import { Difference } from './sequence-comparison.js';
import { SequenceGenerator } from './sequence-generator.js';
import { type Operation, told } from './sequence-operations.js';
import { SequenceRun } from './sequence-run.js';
import type { SequenceDatabase } from './sequence-state.js';
import { SeededRandom } from './seeded-random.js';

export interface TestedDatabase extends SequenceDatabase {
  /** No rows are left. */
  empty(): Promise<void>;
}

interface Failure {
  readonly operations: readonly Operation[];
  readonly error: unknown;
}

/** @returns what to show of a sequence that failed; undefined for one that did not */
export async function trySequence(database: TestedDatabase, seed: number): Promise<string | undefined> {
  const expires = new SeededRandom(seed).chance(0.25);
  const failure = await generate(database, seed, expires);
  if (failure === undefined) return undefined;
  const shrunk = await shrink(database, failure, expires);
  const { message, stack } = shrunk.error as Error;
  return [
    `seed ${seed}${expires ? ' (expireOnCommit)' : ''}: ${message}`,
    ...shrunk.operations.map((operation) => told(operation)),
    shrunk.error instanceof Difference ? (shrunk.error.cause as Error | undefined)?.stack : stack,
  ].join('\n');
}

async function generate(
  database: TestedDatabase,
  seed: number,
  expires: boolean,
): Promise<Failure | undefined> {
  const random = new SeededRandom(seed);
  const run = new SequenceRun(database, expires);
  const generator = new SequenceGenerator(random, run.model);
  const operations: Operation[] = [];
  const count = random.between(5, 25);
  try {
    for (let tries = 0; operations.length < count && tries < 4 * count; tries += 1) {
      const operation = generator.next();
      operations.push(operation);
      if (!(await run.perform(operation))) operations.pop();
    }
    operations.push({ do: 'commit' });
    await run.perform({ do: 'commit' });
    return undefined;
  } catch (error) {
    return { operations, error };
  } finally {
    await run.end();
    await database.empty();
  }
}

async function replay(
  database: TestedDatabase,
  operations: readonly Operation[],
  expires: boolean,
): Promise<Failure | undefined> {
  const run = new SequenceRun(database, expires);
  try {
    for (const operation of operations) await run.perform(operation);
    return undefined;
  } catch (error) {
    return { operations, error };
  } finally {
    await run.end();
    await database.empty();
  }
}

/** Drops operations, also those inside of blocks, as long as it still fails. */
async function shrink(database: TestedDatabase, first: Failure, expires: boolean): Promise<Failure> {
  let failure = first;
  for (let isSmaller = true; isSmaller;) {
    isSmaller = false;
    for (const operations of smaller(failure.operations)) {
      const again = await replay(database, operations, expires);
      if (again === undefined) continue;
      failure = again;
      isSmaller = true;
      break;
    }
  }
  return failure;
}

function* smaller(operations: readonly Operation[]): Generator<readonly Operation[]> {
  for (let place = operations.length - 1; place >= 0; place -= 1) {
    yield operations.toSpliced(place, 1);
    const operation = operations[place]!;
    if (operation.do !== 'block') continue;
    for (const inside of smaller(operation.operations))
      yield operations.with(place, { ...operation, operations: inside });
  }
}
