/** Whether a statement may have to see what was not flushed yet. */
import type { EntityMetadata } from 'typeorm';
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import type { IdentityMap } from './identity-map.js';
import { isChanged } from './is-changed.js';
import { isRelationChanged } from './loaded-relations.js';
import { relatedObjects } from './relation-values.js';
import type { TrackedObject } from './tracked-object.js';
import { dataSourceOf } from './typeorm-versions.js';

/**
 * @param sql - left out where nothing is known of the statement. A SELECT concerns the classes whose tables it names, and
 *   those whose changed relations lead there; everything else concerns all
 */
export function concernsUnflushed(map: IdentityMap, sql?: string): boolean {
  const isKnown = sql !== undefined && /^\s*(?:select|with)\b/i.test(sql);
  const named = new Map<EntityMetadata, Named>();
  for (const tracked of map) {
    const { metadata } = tracked.shape;
    let tables = named.get(metadata);
    if (tables === undefined) named.set(metadata, (tables = isKnown ? namedIn(sql, metadata) : ALL));
    if (isConcerned(tracked, tables)) return true;
  }
  return false;
}

/** What of a class a statement names. */
interface Named {
  readonly itself: boolean;
  /** Those that lead to a table which is named. */
  readonly relations: readonly RelationMetadata[];
}

const ALL: Named = { itself: true, relations: [] };

/** By the object alone; what is cascaded to is reached from an object whose relation changed. */
function isConcerned(tracked: TrackedObject, { itself, relations }: Named): boolean {
  const { entity, isMarkedDeleted, state } = tracked;
  const isNew = state === 'pending';
  if (itself) return isNew || isMarkedDeleted || isChanged(tracked);
  return relations.some(
    (relation) =>
      isMarkedDeleted ||
      (isNew ? relatedObjects(relation, entity).length > 0 : isRelationChanged(tracked, relation)),
  );
}

function namedIn(sql: string, metadata: EntityMetadata): Named {
  const { own, related } = tablesOf(metadata);
  const isNamed = (table: string): boolean => sql.includes(table);
  return {
    itself: own.some(isNamed),
    relations: [...related].filter(([, tables]) => tables.some(isNamed)).map(([relation]) => relation),
  };
}

interface Tables {
  /** What a view reads is not known: each of them may read this. */
  readonly own: readonly string[];
  readonly related: ReadonlyMap<RelationMetadata, readonly string[]>;
}

const TABLES = new WeakMap<EntityMetadata, Tables>();

function tablesOf(metadata: EntityMetadata): Tables {
  let tables = TABLES.get(metadata);
  if (tables === undefined) {
    const views = dataSourceOf(metadata).entityMetadatas.filter(({ tableType }) => tableType === 'view');
    const own = [
      metadata,
      ...views,
      ...(metadata.closureJunctionTable ? [metadata.closureJunctionTable] : []),
    ];
    tables = {
      own: own.map(({ tableName }) => tableName),
      related: new Map(metadata.relations.map((relation) => [relation, [...reachedBy(relation)]])),
    };
    TABLES.set(metadata, tables);
  }
  return tables;
}

/** The tables that a change of a relation writes, and those of what it cascades to. */
function reachedBy(relation: RelationMetadata): Set<string> {
  const tables = new Set<string>();
  const relations = new Set([relation]);
  // The set grows while it is gone through.
  for (const {
    inverseEntityMetadata,
    isCascadeInsert,
    isCascadeRemove,
    junctionEntityMetadata,
  } of relations) {
    tables.add(inverseEntityMetadata.tableName);
    if (junctionEntityMetadata !== undefined) tables.add(junctionEntityMetadata.tableName);
    if (isCascadeInsert || isCascadeRemove)
      for (const further of inverseEntityMetadata.relations) relations.add(further);
  }
  return tables;
}
