/** What one alias of a query brings of one class: which columns, under which names, and what names the row. */
import type { Driver } from 'typeorm/driver/Driver.js';
import type { EntityMetadata } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import { ApplyValueTransformers } from 'typeorm/util/ApplyValueTransformers.js';
import { type EntityShape, isPlain, shapeOf } from './entity-shape.js';
import { type FrozenValue, freeze } from './frozen-value.js';
import { keyFrom } from './identity-key.js';

/** One row as the driver gave it: names of columns are those of the query. */
export type Row = Readonly<Record<string, unknown>>;

/** A column that the query asked for. */
export interface AskedColumn {
  readonly column: ColumnMetadata;
  /** Its name in the row. */
  readonly name: string;
  /** In the shape; -1 for what is no part of what is stored. */
  readonly place: number;
  /** Where the column is nothing but a property. */
  readonly property: string | undefined;
}

/** Of an alias of the query. */
export interface AliasOfQuery {
  nameOf(column: ColumnMetadata): string;
  isAsked(column: ColumnMetadata): boolean;
}

export class RowReader {
  readonly shape: EntityShape;
  readonly columns: readonly AskedColumn[];
  /** In the shape's order; undefined for those that were not asked for. */
  readonly stored: readonly (AskedColumn | undefined)[];
  /** What is no part of what is stored. */
  readonly others: readonly AskedColumn[];
  readonly #keyName: string | undefined;
  readonly #foreignKeys = new Map<RelationMetadata, readonly string[] | undefined>();

  constructor(
    metadata: EntityMetadata,
    private readonly alias: AliasOfQuery,
    private readonly driver: Driver,
  ) {
    this.shape = shapeOf(metadata);
    this.columns = metadata.columns
      .filter((column) => isOwn(column, metadata) && alias.isAsked(column))
      .map((column) => ({
        column,
        name: alias.nameOf(column),
        place: this.shape.columns.indexOf(column),
        property: isPlain(column) ? column.propertyName : undefined,
      }));
    this.stored = this.shape.columns.map((stored) => this.columns.find(({ column }) => column === stored));
    this.others = this.columns.filter(({ place }) => place < 0);
    const [key, ...more] = metadata.primaryColumns;
    this.#keyName = key === undefined || more.length > 0 ? undefined : alias.nameOf(key);
  }

  /** The column's name in the rows of the query. */
  nameOf(column: ColumnMetadata): string {
    return this.alias.nameOf(column);
  }

  /** As TypeORM would write it into an object. */
  hydrate(column: ColumnMetadata, raw: unknown): unknown {
    return this.driver.prepareHydratedValue(raw, column) as unknown;
  }

  /** What names the row; undefined where it is not in the query, or nothing was joined. */
  keyOf(row: Row): string | undefined {
    const columns = this.shape.metadata.primaryColumns;
    if (this.#keyName !== undefined) return this.#simpleKey(columns[0]!, row[this.#keyName]);
    return this.#key(
      columns,
      columns.map((column) => row[this.alias.nameOf(column)]),
    );
  }

  /** The key of what an owning relation leads to; null for nothing, undefined where the row does not say. */
  foreignKeyOf(relation: RelationMetadata, row: Row): string | null | undefined {
    const names = this.#namesOf(relation);
    if (names === undefined) return undefined;
    const values = names.map((name) => row[name]);
    if (values.includes(undefined)) return undefined;
    return this.#key(relation.inverseEntityMetadata.primaryColumns, values) ?? null;
  }

  /** Of the columns of a foreign key, in the order of the key to which it refers; undefined for any other key than that. */
  #namesOf(relation: RelationMetadata): readonly string[] | undefined {
    if (this.#foreignKeys.has(relation)) return this.#foreignKeys.get(relation);
    const { joinColumns, inverseEntityMetadata } = relation;
    const columns = inverseEntityMetadata.primaryColumns.map((column) =>
      joinColumns.find(({ referencedColumn }) => referencedColumn === column),
    );
    const isWhole = columns.length === joinColumns.length && !columns.includes(undefined);
    const names = isWhole ? columns.map((column) => this.alias.nameOf(column!)) : undefined;
    this.#foreignKeys.set(relation, names);
    return names;
  }

  /** Most keys are one column. */
  #simpleKey(column: ColumnMetadata, value: unknown): string | undefined {
    if (value === undefined || value === null) return undefined;
    const hydrated = stored(column, this.hydrate(column, value));
    return typeof hydrated === 'number' ? String(hydrated) : keyFrom([hydrated]);
  }

  #key(columns: readonly ColumnMetadata[], values: readonly unknown[]): string | undefined {
    // A transformer is not asked about the key of a row that is not there.
    if (values.some((value) => value === undefined || value === null)) return undefined;
    return keyFrom(columns.map((column, index) => stored(column, this.hydrate(column, values[index]))));
  }
}

/** What a snapshot holds of a hydrated value. */
export function frozenAs(column: ColumnMetadata, hydrated: unknown): FrozenValue {
  return freeze(stored(column, hydrated));
}

function stored({ transformer }: ColumnMetadata, hydrated: unknown): unknown {
  return transformer === undefined
    ? hydrated
    : (ApplyValueTransformers.transformTo(transformer, hydrated) as unknown);
}

/** As TypeORM chooses the columns that it hydrates. */
function isOwn(column: ColumnMetadata, { childEntityMetadatas }: EntityMetadata): boolean {
  return !column.isVirtual && !childEntityMetadatas.some(({ target }) => target === column.target);
}
