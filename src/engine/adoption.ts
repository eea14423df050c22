/** Adopts a DataSource: its managers, repositories and builders ask a seam for the runner of the moment. */
import { EntityManager, Repository, type DataSource, type QueryRunner } from 'typeorm';
import { InvalidOptionError, UnusableDataSourceError } from '../errors.js';
import { dataSourceOf } from './data-source-of.js';
import { type Method, own } from './own-members.js';
import { nestedTransaction } from './session-runner.js';
import type { RunAs } from './backend.js';
import type { Engine } from './engine.js';
import { type NestedWork, PERSISTENCE_METHODS } from './runner-owner.js';

/** What an adopted DataSource asks at every use. */
export interface AdoptionSeam {
  /** The runner to use here and now; undefined where the DataSource is to be plain. */
  currentRunner(): QueryRunner | undefined;
  /** The unit of work that `manager.transaction()` is to be a part of; undefined where it is to be plain. */
  currentWork(): NestedWork | undefined;
  /** Somebody asked for a runner of their own. */
  independentRunnerAsked(): void;
  /** A query builder that was made, as whoever has its runner wants it. */
  built<Builder>(builder: Builder): Builder;
  /** Runs `fn` with `runner` as the current one. */
  runAs: RunAs;
}

export interface Adoption {
  readonly engine: Engine;
  /** Makes the managers join that were made before the adoption; returns how many there were. */
  sweep(instances: Iterable<unknown>): number;
  /** Gives the DataSource back as it was. */
  undo(): void;
}

const PLAIN: AdoptionSeam = {
  currentRunner: () => undefined,
  currentWork: () => undefined,
  independentRunnerAsked: () => undefined,
  built: (builder) => builder,
  runAs: (_runner, fn) => fn(),
};

/** The joined managers of a DataSource ask its record for the seam; an application that ends leaves PLAIN behind. */
interface Adopted {
  readonly dataSource: DataSource;
  seam: AdoptionSeam;
  /** Takes the joining members off again; undefined while there are none. */
  uninstall?: (() => void) | undefined;
}

const ADOPTED = new WeakMap<DataSource, Adopted>();

/**
 * Makes everything that comes from `engine`'s DataSource ask `seam`. Own properties of that one instance delegate to what
 * was there before, and no prototype is touched.
 *
 * @throws {@link UnusableDataSourceError} `SS_ERR_UNUSABLE_DATA_SOURCE` when a live application has adopted it already
 */
export function adopt(engine: Engine, seam: AdoptionSeam): Adoption {
  const adopted = prepare(engine.dataSource);
  if (adopted.seam !== PLAIN) {
    throw new UnusableDataSourceError(
      'This DataSource is adopted by another application that is still running. Give each application its own, or close ' +
        'the other one first.',
    );
  }
  adopted.seam = seam;
  engine.letPlainManagersUse((runner, fn) => adopted.seam.runAs(runner, fn));
  return {
    engine,
    sweep: (instances) => sweep(adopted, instances),
    undo: () => {
      adopted.seam = PLAIN;
      adopted.uninstall?.();
    },
  };
}

/** Puts the joining members on a DataSource before anybody sees it; it stays plain until `adopt` gives it a seam. */
export function prepare(dataSource: DataSource): Adopted {
  const adopted: Adopted = ADOPTED.get(dataSource) ?? { dataSource, seam: PLAIN };
  ADOPTED.set(dataSource, adopted);
  adopted.uninstall ??= install(adopted);
  return adopted;
}

function install(adopted: Adopted): () => void {
  const { dataSource } = adopted;
  const { createEntityManager, createQueryBuilder, query, createQueryRunner } =
    dataSource as unknown as Record<string, Method>;
  const current = (): QueryRunner | undefined => adopted.seam.currentRunner();
  const undo = own(dataSource, {
    createEntityManager: (runner) => {
      const manager = createEntityManager!.call(dataSource, runner) as EntityManager;
      if (runner === undefined) joinManager(manager, adopted);
      return manager;
    },
    createQueryBuilder: (entity, alias, runner) =>
      adopted.seam.built(
        alias === undefined || alias === ''
          ? createQueryBuilder!.call(dataSource, entity ?? current())
          : createQueryBuilder!.call(dataSource, entity, alias, runner ?? current()),
      ),
    query: (sql, parameters, runner) => query!.call(dataSource, sql, parameters, runner ?? current()),
    createQueryRunner: (mode) => {
      adopted.seam.independentRunnerAsked();
      return createQueryRunner!.call(dataSource, mode);
    },
  });
  const leave = joinManager(dataSource.manager, adopted);
  return () => {
    undo();
    leave();
    adopted.uninstall = undefined;
  };
}

function isJoined(manager: EntityManager): boolean {
  return Object.getOwnPropertyDescriptor(manager, 'queryRunner')?.get !== undefined;
}

/** TypeORM reads `manager.queryRunner` at every use, so that one accessor makes the whole manager join. */
function joinManager(manager: EntityManager, adopted: Adopted): () => void {
  if (isJoined(manager)) return () => undefined;
  Object.defineProperty(manager, 'queryRunner', {
    configurable: true,
    enumerable: false,
    get: () => adopted.seam.currentRunner(),
    set: () => {
      throw new InvalidOptionError(
        'An adopted manager finds its query runner itself; use queryRunner.manager instead.',
      );
    },
  });
  const { transaction, getRepository, getTreeRepository } = manager as unknown as Record<string, Method>;
  const undo = own(manager, {
    transaction: (...given) => {
      const work = adopted.seam.currentWork();
      if (work !== undefined)
        return nestedTransaction(work)(...(given as unknown as Parameters<NestedTransaction>));
      return transaction!.apply(
        manager,
        given.map((argument) => runAsItsOwn(argument, adopted)),
      );
    },
    // A repository keeps the runner of the moment it was made in; these are shared by all moments.
    getRepository: (target) => unbound(getRepository!.call(manager, target) as Repository<never>),
    getTreeRepository: (target) => unbound(getTreeRepository!.call(manager, target) as Repository<never>),
    ...persistence(manager, adopted),
  });
  return () => {
    undo();
    delete (manager as { queryRunner?: QueryRunner }).queryRunner;
  };
}

/** A session has something to say of what is stored past it: its own manager does it. */
function persistence(manager: EntityManager, adopted: Adopted): Record<string, Method> {
  const plain = manager as unknown as Record<string, Method>;
  const members = PERSISTENCE_METHODS.map((name) => {
    const method = plain[name]!;
    return [
      name,
      (...given: unknown[]) => {
        const current = adopted.seam.currentRunner()?.manager as unknown as
          Record<string, Method> | undefined;
        return current === undefined ? method.apply(manager, given) : current[name]!(...given);
      },
    ];
  });
  return Object.fromEntries(members) as Record<string, Method>;
}

type NestedTransaction = ReturnType<typeof nestedTransaction>;

function unbound(repository: Repository<never>): Repository<never> {
  Object.assign(repository, { queryRunner: undefined });
  return repository;
}

/** Inside a plain transaction of a SQLite database the plain managers use its runner: there is no other connection. */
function runAsItsOwn(argument: unknown, { dataSource, seam }: Adopted): unknown {
  if (typeof argument !== 'function' || !hasOneConnection(dataSource)) return argument;
  return (manager: EntityManager) => seam.runAs(manager.queryRunner!, () => (argument as Method)(manager));
}

function hasOneConnection({ options }: DataSource): boolean {
  return options.type === 'sqljs' || options.type === 'better-sqlite3';
}

function sweep(adopted: Adopted, instances: Iterable<unknown>): number {
  let found = 0;
  for (const instance of instances) {
    if (typeof instance !== 'object' || instance === null) continue;
    for (const candidate of [instance, ...ownValues(instance)]) {
      const manager = candidate instanceof Repository ? candidate.manager : candidate;
      if (!(manager instanceof EntityManager) || dataSourceOf(manager) !== adopted.dataSource) continue;
      if (isJoined(manager) || manager.queryRunner !== undefined) continue;
      joinManager(manager, adopted);
      found += 1;
    }
  }
  return found;
}

/** Values only: a getter might do anything. */
function ownValues(instance: object): unknown[] {
  return Object.values(Object.getOwnPropertyDescriptors(instance)).map(
    (descriptor) => descriptor.value as unknown,
  );
}
