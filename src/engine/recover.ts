/** Branches of two-phase commits that were prepared and never decided: a process or a server has stopped in between. */
import type { DataSource } from 'typeorm';
import { engineOf } from './create-engine.js';
import { FORMAT_ID, GLOBAL_PREFIX } from './demarcation.js';
import { Engine } from './engine.js';
import { integer, readOptions, type Rules } from './option-rules.js';

/** Options of `recoverTwoPhase`. */
export interface RecoverOptions {
  /** Milliseconds since a branch was begun: younger ones may be those of a process that runs. Default 300 000. */
  readonly olderThanMs?: number;
}

const RULES: Rules<RecoverOptions> = { olderThanMs: integer(0) };
const OLDER_THAN_MS = 300_000;

/** One branch, in one database. */
export interface InDoubtBranch {
  /** The unit of work that it is a part of. */
  readonly unit: string;
  /** As the server's own statements name it. */
  readonly xid: string;
  readonly begunAt: Date;
  /** The database to which it will be told. */
  readonly database: string;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/** A unit of work with its branches that are in doubt. One that is missing was committed, was rolled back, or never prepared. */
export interface InDoubtUnit {
  readonly unit: string;
  readonly begunAt: Date;
  readonly branches: readonly InDoubtBranch[];
  /** Commits every branch. */
  commit(): Promise<void>;
  /** Rolls every branch back. */
  rollback(): Promise<void>;
}

interface Row {
  readonly formatID: number | string;
  readonly gtrid_length: number;
  readonly bqual_length: number;
  readonly data: string | Uint8Array;
}

async function branchesOf(engine: Engine): Promise<InDoubtBranch[]> {
  if (engine.backend.hasTwoPhases !== true) return [];
  const rows = await ask<Row[]>(engine, 'XA RECOVER');
  const ours = rows.filter(({ formatID }) => Number(formatID) === FORMAT_ID);
  return ours.flatMap((row) => branchOf(engine, row));
}

/**
 * The units of work that were prepared and never decided, over all databases that they may have been in.
 *
 * @param engines - engines or DataSources of every database of the application that takes part in two-phase commits
 * @param options - `olderThanMs`, default 300 000: younger ones may still be decided by a process that runs
 * @returns the oldest first; nothing is decided before `commit()` or `rollback()` of one is called
 * @throws the driver's error; MySQL 8 wants the privilege XA_RECOVER_ADMIN. `SS_ERR_INVALID_OPTION`
 *
 * @example
 * ```ts
 * import { type Engine, recoverTwoPhase } from 'nestjs-scoped-session';
 * export async function undoWhatIsLeft(engines: readonly Engine[]) {
 *   for (const unit of await recoverTwoPhase(engines)) await unit.rollback();
 * }
 * ```
 */
export async function recoverTwoPhase(
  engines: readonly (Engine | DataSource)[],
  options?: RecoverOptions,
): Promise<InDoubtUnit[]> {
  const { olderThanMs = OLDER_THAN_MS } = readOptions('recoverTwoPhase', options, RULES);
  const found = await Promise.all(
    engines.map((one) => branchesOf(one instanceof Engine ? one : engineOf(one))),
  );
  // Databases of one server show the same branches, where they share a name.
  const branches = new Map(found.flat().map((branch) => [branch.xid, branch]));
  const units = new Map<string, InDoubtBranch[]>();
  for (const branch of branches.values()) units.set(branch.unit, [...(units.get(branch.unit) ?? []), branch]);
  return [...units]
    .map(([unit, own]) => unitOf(unit, own))
    .filter(({ begunAt }) => Date.now() - begunAt.getTime() >= olderThanMs)
    .toSorted((one, another) => one.begunAt.getTime() - another.begunAt.getTime());
}

function unitOf(unit: string, branches: readonly InDoubtBranch[]): InDoubtUnit {
  const each = async (decide: (branch: InDoubtBranch) => Promise<void>): Promise<void> => {
    // oxlint-disable-next-line no-await-in-loop
    for (const branch of branches) await decide(branch);
  };
  return {
    unit,
    branches,
    begunAt: new Date(Math.min(...branches.map(({ begunAt }) => begunAt.getTime()))),
    commit: () => each((branch) => branch.commit()),
    rollback: () => each((branch) => branch.rollback()),
  };
}

/** Written by `newXid`: what does not look like it is somebody else's. */
const BRANCH = /^([\w-]+)\.([0-9a-z]+)\.[0-9a-f]{8}$/;

function branchOf(engine: Engine, row: Row): InDoubtBranch[] {
  const data = typeof row.data === 'string' ? row.data : Buffer.from(row.data).toString('latin1');
  const global = data.slice(0, row.gtrid_length);
  const [bqual, application, begun] = BRANCH.exec(data.slice(row.gtrid_length)) ?? [];
  if (!/^ss\.[\w-]+$/.test(global) || application !== engine.applicationName) return [];
  const xid = `'${global}','${bqual}',${FORMAT_ID}`;
  return [
    {
      unit: global.slice(GLOBAL_PREFIX.length),
      xid,
      begunAt: new Date(Number.parseInt(begun!, 36)),
      database: String(engine.dataSource.options.database),
      commit: async () => void (await ask(engine, `XA COMMIT ${xid}`)),
      rollback: async () => void (await ask(engine, `XA ROLLBACK ${xid}`)),
    },
  ];
}

async function ask<T>(engine: Engine, sql: string): Promise<T> {
  const connection = await engine.rawConnection();
  try {
    return await connection.query<T>(sql);
  } finally {
    await connection.close();
  }
}
