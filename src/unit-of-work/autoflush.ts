/** Whether a statement may have to see what was not flushed yet. */
import type { EntityMetadata } from 'typeorm';
import type { IdentityMap } from './identity-map.js';
import { isChanged } from './is-changed.js';
import type { TrackedObject } from './tracked-object.js';
import { dataSourceOf } from './typeorm-versions.js';

/**
 * @param sql - left out where nothing is known of the statement. A SELECT concerns the classes whose tables it names, and
 *   those that a flush would write together with them; everything else concerns all
 */
export function concernsUnflushed(map: IdentityMap, sql?: string): boolean {
  const concerned = new Map<EntityMetadata, boolean>();
  const isConcerned = (metadata: EntityMetadata): boolean => {
    let answer = concerned.get(metadata);
    if (answer === undefined) concerned.set(metadata, (answer = mayRead(sql, metadata)));
    return answer;
  };
  for (const tracked of map) {
    if (isConcerned(tracked.shape.metadata) && isUnflushed(tracked)) return true;
  }
  return false;
}

/** By the object alone; what is cascaded to is reached from an object whose relation changed. */
function isUnflushed(tracked: TrackedObject): boolean {
  return tracked.state === 'pending' || tracked.isMarkedDeleted || isChanged(tracked);
}

function mayRead(sql: string | undefined, metadata: EntityMetadata): boolean {
  if (sql === undefined || !/^\s*(?:select|with)\b/i.test(sql)) return true;
  return [...tablesOf(metadata)].some((table) => sql.includes(table));
}

const TABLES = new WeakMap<EntityMetadata, ReadonlySet<string>>();

function tablesOf(metadata: EntityMetadata): ReadonlySet<string> {
  let tables = TABLES.get(metadata);
  if (tables === undefined) {
    const reached = new Set([metadata]);
    const names = new Set<string>();
    // The set grows while it is gone through. What a view reads is not known: each of them may read this.
    for (const one of reached) for (const name of written(one, reached)) names.add(name);
    for (const { tableName, tableType } of dataSourceOf(metadata).entityMetadatas)
      if (tableType === 'view') names.add(tableName);
    TABLES.set(metadata, (tables = names));
  }
  return tables;
}

/** The tables that a change of an object writes. */
function* written(metadata: EntityMetadata, reached: Set<EntityMetadata>): Generator<string> {
  yield metadata.tableName;
  if (metadata.closureJunctionTable !== undefined) yield metadata.closureJunctionTable.tableName;
  for (const relation of metadata.relations) {
    yield relation.inverseEntityMetadata.tableName;
    if (relation.junctionEntityMetadata !== undefined) yield relation.junctionEntityMetadata.tableName;
    if (relation.isCascadeInsert || relation.isCascadeRemove) reached.add(relation.inverseEntityMetadata);
  }
}
