/** F126: what a two-phase commit leaves on a server that dies between its steps, and how it is decided when the server is back. */
import { recoverTwoPhase } from 'nestjs-scoped-session';
import { expect, it } from 'vitest';
import { engineOf } from '../../src/engine/index.js';
import { useFaultyDatabase } from '../support/faulty-database.js';
import { note } from '../support/note.js';
import { ours, texts } from '../support/plain-and-ours.js';

// What was prepared is on disk: the server is killed.
const database = useFaultyDatabase(['--innodb-flush-log-at-trx-commit=1']);

it.each(['commit', 'rollback'] as const)(
  'F126: a branch that was prepared survives the death of the server, until somebody decides to %s',
  async (decision) => {
    const { session, dataSource } = await ours(database, {}, { twoPhase: true });
    const work = session.run(async () => {
      session.add(note('prepared'));
      await session.prepare();
      await database.server.kill();
    });
    const error: unknown = await work.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'SS_ERR_COMMIT_OUTCOME_UNKNOWN', outcome: 'unknown' });
    await database.server.restart();
    const [unit, ...others] = await recoverTwoPhase([engineOf(dataSource)], { olderThanMs: 0 });
    expect(others).toEqual([]);
    expect(String(error)).toContain(unit!.branches[0]!.xid);
    expect(await texts(dataSource)).toEqual([]);
    await unit![decision]();
    expect(await texts(dataSource)).toEqual(decision === 'commit' ? ['prepared'] : []);
    expect(await recoverTwoPhase([dataSource], { olderThanMs: 0 })).toEqual([]);
  },
);
