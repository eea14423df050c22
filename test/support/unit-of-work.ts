/** A plain query runner with an identity map, in a transaction that is rolled back at the end of the test. */
import {
  type DataSource,
  type EntityManager,
  type EntityTarget,
  type MixedList,
  type ObjectLiteral,
  DataSource as TypeormDataSource,
} from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import {
  IDENTITY,
  IdentityMap,
  type IdentityQueryBuilder,
  type IdentityRunner,
  trackingBuilder,
} from '../../src/unit-of-work/index.js';
import type { TrackedObject } from '../../src/unit-of-work/index.js';
import type { TestDatabase } from './databases.js';
import { StatementRecorder } from './statement-recorder.js';

export interface UnitOfWork {
  readonly dataSource: DataSource;
  readonly runner: IdentityRunner;
  readonly manager: EntityManager;
  readonly map: IdentityMap;
  /** The tracked object of an entity that is tracked. */
  tracked(entity: object): TrackedObject;
  /** What was sent since the last call. */
  sent(): string[];
  /** Another unit of work on the same rows; the first one is over. */
  another(): void;
  query<Entity extends ObjectLiteral>(
    entity: EntityTarget<Entity>,
    alias: string,
  ): IdentityQueryBuilder<Entity>;
}

interface Entities {
  readonly entities: MixedList<Function>;
  readonly subscribers?: MixedList<Function>;
  /** Stores the rows that each test begins with. */
  store(manager: EntityManager): Promise<unknown>;
}

/** Everything that `dataSource` makes to select with goes through the identity map of its runner, if that has one. */
function track(dataSource: DataSource): void {
  const plain = dataSource.createQueryBuilder.bind(dataSource) as (
    ...given: unknown[]
  ) => ReturnType<DataSource['createQueryBuilder']>;
  Object.defineProperty(dataSource, 'createQueryBuilder', {
    value: (...given: unknown[]) => trackingBuilder(plain(...given)),
  });
}

export function useUnitOfWork(database: TestDatabase, { store, ...options }: Entities): UnitOfWork {
  const recorder = new StatementRecorder();
  let dataSource: DataSource;
  let runner: IdentityRunner;
  let map: IdentityMap;
  beforeAll(async () => {
    dataSource = new TypeormDataSource(
      database.options({ ...options, synchronize: true, dropSchema: true, logger: recorder, logging: true }),
    );
    await dataSource.initialize();
    await store(dataSource.manager);
    track(dataSource);
  });
  afterAll(() => dataSource.destroy());
  beforeEach(async () => {
    database.watch({ dataSource });
    runner = dataSource.createQueryRunner();
    await runner.startTransaction();
    map = runner[IDENTITY] = new IdentityMap();
    recorder.take();
  });
  afterEach(async () => {
    delete runner[IDENTITY];
    await runner.rollbackTransaction();
    await runner.release();
  });
  return {
    get dataSource() {
      return dataSource;
    },
    get runner() {
      return runner;
    },
    get manager() {
      return runner.manager;
    },
    get map() {
      return map;
    },
    tracked: (entity) => map.of(entity)!,
    sent: () => {
      const statements = recorder.rowStatements;
      recorder.take();
      return statements;
    },
    another: () => {
      map = runner[IDENTITY] = new IdentityMap();
    },
    query: <Entity extends ObjectLiteral>(entity: EntityTarget<Entity>, alias: string) =>
      dataSource.createQueryBuilder(entity, alias, runner) as IdentityQueryBuilder<Entity>,
  };
}
