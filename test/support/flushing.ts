/** A unit of work on a plain runner of TypeORM, in a transaction that is rolled back at the end. */
import {
  DataSource,
  type EntityTarget,
  type FindManyOptions,
  type ObjectLiteral,
  type QueryRunner,
} from 'typeorm';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { flush, IdentityMap, shapeOf, takeRelations, TrackedObject } from '../../src/unit-of-work/index.js';
import { AccountSubscriber, CATALOGUE } from './catalogue.js';
import type { TestDatabase } from './databases.js';
import { StatementLog } from './statement-log.js';

export interface Flushing {
  readonly dataSource: DataSource;
  readonly runner: QueryRunner;
  readonly map: IdentityMap;
  readonly warnings: string[];
  /** Loads with plain TypeORM, and tracks every object that was found, one per row. */
  load<T extends ObjectLiteral>(target: EntityTarget<T>, options?: FindManyOptions<T>): Promise<T[]>;
  add<T extends object>(...entities: T[]): TrackedObject[];
  markDeleted(entity: object): void;
  flush(): Promise<unknown>;
  /** What was sent since the last call, as it was sent. */
  statements(): string[];
  /** The same, as verbs and tables. */
  sent(): string[];
}

/** The tables are there for the whole file: only the first test makes them. */
export async function connect(
  database: TestDatabase,
  more: Record<string, unknown> = {},
): Promise<DataSource> {
  const options = database.options({
    entities: CATALOGUE,
    subscribers: [AccountSubscriber],
    // PostgreSQL makes them itself then.
    uuidExtension: 'pgcrypto',
    synchronize: true,
    dropSchema: true,
    logger: new StatementLog(),
    ...more,
  });
  return new DataSource(options).initialize();
}

export async function flushing(
  dataSource: DataSource,
  work: (unit: Flushing) => Promise<void>,
): Promise<void> {
  const log = dataSource.logger as StatementLog;
  const runner = dataSource.createQueryRunner();
  await runner.startTransaction();
  const map = new IdentityMap();
  const warnings: string[] = [];
  const statements = (): string[] => log.take().map(({ sql }) => sql);
  const shape = (entity: object) =>
    shapeOf(dataSource.getMetadata(entity.constructor).findInheritanceMetadata(entity));
  const track = (entity: object, seen: Set<object>): void => {
    if (seen.has(entity)) return;
    seen.add(entity);
    const tracked = new TrackedObject(entity, shape(entity), shape(entity).keyOf(entity));
    map.add(tracked);
    for (const relation of tracked.shape.metadata.relations) {
      const value = relation.getEntityValue(entity) as object | object[] | null | undefined;
      for (const related of [value].flat()) if (related) track(related, seen);
    }
    takeRelations(tracked);
  };
  try {
    statements();
    await work({
      dataSource,
      runner,
      map,
      warnings,
      statements,
      load: async (target, options) => {
        const found = await runner.manager.find(target, { order: { id: 'ASC' } as never, ...options });
        const seen = new Set<object>();
        for (const entity of found) track(entity, seen);
        statements();
        return found;
      },
      add: (...entities) =>
        entities.map((entity) => {
          const tracked = new TrackedObject(entity, shape(entity), shape(entity).keyOf(entity));
          tracked.state = 'pending';
          map.add(tracked);
          return tracked;
        }),
      markDeleted: (entity) => {
        map.of(entity)!.isMarkedDeleted = true;
      },
      flush: () => flush(map, runner, { warn: (message) => warnings.push(message) }),
      sent: () => statements().map(inShort),
    });
  } finally {
    await runner.rollbackTransaction();
    await runner.release();
  }
}

/** `INSERT INTO "post"("id", …` is `INSERT post`. */
export function inShort(sql: string): string {
  const verb = /^(INSERT|UPDATE|DELETE|SELECT)\b/.exec(sql)?.[0];
  const table = /\b(?:INTO|UPDATE|FROM) [`"](\w+)[`"]/.exec(sql)?.[1];
  return verb === undefined ? sql : `${verb} ${table}`;
}

/** A new object, with no constructor that asks for anything. */
export function make<T extends object>(type: new () => T, values: Partial<T>): T {
  return Object.assign(new type(), values);
}

/** One DataSource with the catalogue's tables for all tests of a file; it is checked after each of them. */
export function catalogue(database: TestDatabase, more: Record<string, unknown> = {}): () => DataSource {
  let dataSource: DataSource;
  beforeAll(async () => {
    dataSource = await connect(database, more);
  });
  beforeEach(() => void database.watch({ dataSource }));
  afterAll(() => dataSource.destroy());
  return () => dataSource;
}
