/** Asks for the rows of objects of which only cascades speak, as TypeORM does: they may be new, or be there already. */
import type { QueryRunner } from 'typeorm';
import { DirtyWalk } from './dirty-walk.js';
import { hydratedKey } from './read-back.js';
import type { IdentityMap } from './identity-map.js';
import { type Condition, inChunks, StatementText } from './statement-text.js';
import type { TrackedObject } from './tracked-object.js';
import { dataSourceOf } from './typeorm-versions.js';

/** Only keys that were given by hand leave a doubt, so that most walks need no statement. */
export async function walkKnowingRows(map: IdentityMap, runner: QueryRunner): Promise<DirtyWalk> {
  const walk = new DirtyWalk(map);
  if (walk.unsure.length === 0) return walk;
  const stored = new Set<object>();
  for (const metadata of new Set(walk.unsure.map(({ shape }) => shape.metadata))) {
    const objects = walk.unsure.filter(({ shape }) => shape.metadata === metadata);
    for (const chunk of inChunks(objects, metadata.primaryColumns.length)) {
      for (const entity of await thoseStored(runner, chunk)) stored.add(entity);
    }
  }
  return new DirtyWalk(map, stored);
}

async function thoseStored(runner: QueryRunner, objects: readonly TrackedObject[]): Promise<object[]> {
  const { driver } = dataSourceOf(runner);
  const { metadata } = objects[0]!.shape;
  const text = new StatementText(driver);
  const keys = objects.map(({ entity }) =>
    metadata.primaryColumns.map((column): Condition => [column, column.getEntityValue(entity)]),
  );
  const sql = `SELECT ${text.names(metadata.primaryColumns)} FROM ${text.table(metadata)} WHERE ${text.anyOf(keys)}`;
  const records = (await runner.query(sql, text.parameters)) as Record<string, unknown>[];
  const found = new Set(records.map((record) => hydratedKey(record, metadata, driver)));
  return objects.filter(({ key }) => found.has(key)).map(({ entity }) => entity);
}
