/** A plain query runner of a SQLite database: inside the gate from its first statement to its release, as if leased. */
import type { QueryRunner } from 'typeorm';
import { PoolTimeoutError } from '../errors.js';
import type { RunAs } from './backend.js';
import { withDeadline } from './deadline.js';
import type { DriverConnection, LeaseHolder } from './lease.js';

type Obtain = (holder: LeaseHolder) => Promise<DriverConnection>;

export function gatedRunner(
  runner: QueryRunner,
  obtain: Obtain,
  timeoutMs: () => number,
  runAs: RunAs,
): QueryRunner {
  const plain = Object.getPrototypeOf(runner) as QueryRunner;
  const holder: LeaseHolder = { label: 'A plain query runner', owner: runner, runner };
  let connection: Promise<DriverConnection> | undefined;

  const enter = (): Promise<DriverConnection> => {
    if (connection !== undefined) return connection;
    const waitMs = timeoutMs();
    const entering = withDeadline(
      obtain(holder),
      waitMs,
      () => new PoolTimeoutError(`The SQLite database was held by another unit of work for ${waitMs} ms.`),
      (late) => void late.giveBack(),
    );
    connection = entering;
    // A runner that was refused may try again.
    entering.catch(() => (connection = undefined));
    return entering;
  };

  const leave = async (): Promise<void> => {
    const entered = connection;
    connection = undefined;
    if (entered === undefined) return;
    const held = await entered;
    if (runner.isTransactionActive) {
      // When even this fails there was no transaction left to undo.
      await plain.query.call(runner, 'ROLLBACK').catch(() => undefined);
      Object.assign(runner, { isTransactionActive: false, transactionDepth: 0 });
    }
    await held.giveBack();
  };

  listenAs(runner, runAs);

  return Object.assign(runner, {
    connect: async () => (await enter()).raw,
    query: async (...given: Parameters<QueryRunner['query']>) => {
      await enter();
      return plain.query.apply(runner, given);
    },
    release: async () => {
      // As with the other drivers: a runner that was given back must not enter again unseen.
      Object.assign(runner, { isReleased: true });
      await leave();
      await plain.release.call(runner);
    },
    // sql.js would write its file here; it is written when the gate is left.
    flush: async () => undefined,
  });
}

type Listeners = Record<string, (...given: unknown[]) => unknown>;

/** Subscribers may use plain managers while the runner is inside the gate: they are to use it too, not to wait for it. */
function listenAs(runner: QueryRunner, runAs: RunAs): void {
  const broadcaster = runner.broadcaster as unknown as Listeners;
  for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(broadcaster))) {
    if (!name.startsWith('broadcast')) continue;
    const broadcast = broadcaster[name]!.bind(broadcaster);
    broadcaster[name] = (...given) => runAs(runner, () => broadcast(...given));
  }
}
