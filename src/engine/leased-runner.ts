/** A plain query runner: it holds a lease from its first statement to its release, and what it leaves open is undone. */
import type { QueryResult, QueryRunner } from 'typeorm';
import type { Backend, RunAs } from './backend.js';
import { classifyFailure, concernsOthers } from './failures.js';
import { isWrite } from './is-write.js';
import type { Lease, LeaseHolder, LeaseOwner } from './lease.js';
import type { StructuredQuery } from './structured-query.js';

const LABEL = 'A plain query runner';

/** Whoever leases connections. */
interface Lessor {
  readonly backend: Backend;
  acquirePlain(holder: LeaseHolder): Promise<Lease>;
}

/** What may leave a transaction open, or autocommit off, where the driver does not tell. */
const OPENS = /^\s*(?:\/\*.*?\*\/\s*)*(?:begin|start|set|lock|xa|call|prepare|execute)\b/i;

/**
 * Makes `runner`, which nobody else has, lease its connection from `engine`: waiting is bounded and fair, it is given back
 * once, and no transaction with it.
 */
export function leasedRunner(engine: Lessor, runner: QueryRunner, runAs: RunAs): QueryRunner {
  const plain = Object.getPrototypeOf(runner) as { query: StructuredQuery };
  const send = (sql: string, parameters?: unknown[]): Promise<QueryResult> =>
    plain.query.call(runner, sql, parameters, true);
  const owner: LeaseOwner = {};
  let leasing: Promise<Lease> | undefined;
  let mayBeOpen = false;
  /** The connection was lost; until the release, what is sent there is told so by the driver. */
  let isLost = false;

  const lease = async (sql = ''): Promise<Lease> => {
    // TypeORM's own refuses a runner that was given back, and says so in its words.
    if (runner.isReleased) await send('');
    if (leasing !== undefined) return leasing;
    const holder = { label: LABEL, owner, runner, ...(sql !== '' && isWrite(sql) && { readOnly: false }) };
    const asked = engine.acquirePlain(holder);
    leasing = asked;
    // A runner that was refused may try again.
    asked.catch(() => (leasing = undefined));
    return asked;
  };

  const isClean = ({ raw }: Lease): boolean => {
    const state = engine.backend.serverTransaction(raw, undefined);
    return !runner.isTransactionActive && (state === 'none' || (state === 'unknown' && !mayBeOpen));
  };

  const giveBack = async (): Promise<void> => {
    const held = leasing === undefined ? undefined : await leasing.catch(() => undefined);
    leasing = undefined;
    if (held === undefined) return;
    if (isLost) return held.destroy();
    try {
      if (!isClean(held)) {
        // In order, on one connection. oxlint-disable-next-line no-await-in-loop
        for (const sql of engine.backend.cleanStatements) await held.run(sql);
        Object.assign(runner, { isTransactionActive: false, transactionDepth: 0 });
      }
      await held.release();
    } catch {
      held.destroy();
    }
  };

  listenAs(runner, runAs);

  return Object.assign(runner, {
    connect: async () => (await lease()).raw,
    query: async (sql: string, parameters?: unknown[], useStructuredResult = false) => {
      const held = await lease(sql);
      mayBeOpen ||= OPENS.test(sql);
      try {
        const result = await send(sql, parameters);
        mayBeOpen ||= engine.backend.serverTransaction(held.raw, result.raw) === 'open';
        return useStructuredResult ? result : (result.raw as unknown);
      } catch (error) {
        const failure = classifyFailure(error);
        if (failure.fatal && !isLost) {
          isLost = true;
          if (concernsOthers(failure)) held.invalidateOthers();
        }
        throw error;
      }
    },
    release: async () => {
      if (runner.isReleased) return;
      // At once, as with TypeORM's own: what is asked of it from now on is refused.
      Object.assign(runner, { isReleased: true });
      await giveBack();
    },
    // sql.js would write its file here; it is written when the connection is given back.
    flush: async () => undefined,
  });
}

type Listeners = Record<string, (...given: unknown[]) => unknown>;

/** Subscribers may use plain managers while the runner has a SQLite database: they are to use it too, not to wait for it. */
function listenAs(runner: QueryRunner, runAs: RunAs): void {
  const broadcaster = runner.broadcaster as unknown as Listeners;
  for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(broadcaster))) {
    if (!name.startsWith('broadcast')) continue;
    const broadcast = broadcaster[name]!.bind(broadcaster);
    broadcaster[name] = (...given) => runAs(runner, () => broadcast(...given));
  }
}
