/** Random sequences of everything that a unit of work can do, against a plain model of tables: no difference. */
import { describe, expect, it } from 'vitest';
import { type Kind, useDatabase } from '../support/databases.js';
import { sequenceDatabase } from '../support/sequence-database.js';
import { trySequence } from '../support/sequences.js';

/** The first seed, and how many follow it; most are left to the database that needs no server. */
const SEQUENCES = { sqljs: [1, 1_400], mariadb: [10_001, 300], postgres: [20_001, 300] } as const;

for (const kind of Object.keys(SEQUENCES) as (keyof typeof SEQUENCES & Kind)[]) {
  const [first, count] = SEQUENCES[kind];
  describe(`on ${kind}`, () => {
    const database = useDatabase(kind);
    it(`${count} sequences, no difference`, { timeout: 100_000 }, async () => {
      const tested = await sequenceDatabase(database);
      for (let seed = first; seed < first + count; seed += 1) {
        const shown = await trySequence(tested, seed);
        expect(shown).toBeUndefined();
      }
    });
  });
}
