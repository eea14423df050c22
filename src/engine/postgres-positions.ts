/** Places in PostgreSQL's write-ahead log: no statement waits for one, so that a replica is asked until it is there. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Positions } from './positions.js';

interface Client {
  query<Row>(sql: string, values?: unknown[]): Promise<{ readonly rows: readonly Row[] }>;
}

const READ = 'SELECT pg_current_wal_insert_lsn()::text AS position';
const REACHED = 'SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn AS reached';
const ASK_AGAIN_MS = 10;
const FORM = /^[0-9a-f]{1,8}\/[0-9a-f]{1,8}$/i;

export const postgresPositions: Positions = {
  read: async (connection) =>
    (await (connection as Client).query<{ position: string }>(READ)).rows[0]?.position,
  reach: async (connection, position, timeoutMs) => {
    const until = performance.now() + timeoutMs;
    for (;;) {
      // One question after the other. oxlint-disable-next-line no-await-in-loop
      const { rows } = await (connection as Client).query<{ reached: boolean | null }>(REACHED, [position]);
      if (rows[0]?.reached === true) return true;
      if (performance.now() >= until) return false;
      // oxlint-disable-next-line no-await-in-loop
      await pause(ASK_AGAIN_MS);
    }
  },
  isPosition: (text) => FORM.test(text),
  later: (one, other) => (placeOf(one) >= placeOf(other) ? one : other),
};

function placeOf(position: string): bigint {
  const [high, low] = position.split('/');
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}
