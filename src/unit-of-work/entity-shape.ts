/** What the unit of work knows of a class of entities: its columns, how each is read, and what names a row. */
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { EntityMetadata } from 'typeorm';
import { type FrozenValue, freeze, isSame } from './frozen-value.js';
import { keyFrom } from './identity-key.js';
import { rootOf } from './property-roots.js';

export class EntityShape {
  /** The columns that are stored; the place of one in this list is its place in a snapshot. */
  readonly columns: readonly ColumnMetadata[];
  /** The table's own class: one row is one object, whichever class of an inheritance tree it is asked for by. */
  readonly root: EntityMetadata;
  /** The property through which each of the columns is reached. */
  readonly roots: readonly string[];
  readonly #readers: readonly ((entity: object) => FrozenValue)[];
  /** The properties of the columns that are nothing but a property; undefined for the others. */
  readonly #plain: readonly (string | undefined)[];

  constructor(readonly metadata: EntityMetadata) {
    this.columns = metadata.columns.filter((column) => isStored(column, metadata));
    this.roots = this.columns.map(rootOf);
    this.root = rootClassOf(metadata);
    this.#readers = this.columns.map(readerOf);
    this.#plain = this.columns.map((column) => (isPlain(column) ? column.propertyName : undefined));
  }

  /** The value that would be stored, frozen. */
  read(entity: object, place: number): FrozenValue {
    return this.#readers[place]!(entity);
  }

  /** Whether a value differs from the snapshot: looked at for every object before every query, so nothing is made for it. */
  differs(entity: object, snapshot: readonly FrozenValue[]): boolean {
    for (let place = 0; place < snapshot.length; place += 1) {
      const name = this.#plain[place];
      const value = name === undefined ? this.read(entity, place) : (entity as Record<string, unknown>)[name];
      const was = snapshot[place];
      if (value === was || value === undefined) continue;
      if (!isSame(freeze(value), was)) return true;
    }
    return false;
  }

  snapshotOf(entity: object): FrozenValue[] {
    return this.#readers.map((read, place) => {
      const name = this.#plain[place];
      return name === undefined ? read(entity) : freeze((entity as Record<string, unknown>)[name]);
    });
  }

  /** What names the object's row; undefined as long as a part of it has no value. */
  keyOf(entity: object): string | undefined {
    return keyFrom(
      this.metadata.primaryColumns.map((column) => column.getEntityValue(entity, true) as unknown),
    );
  }
}

const SHAPES = new WeakMap<EntityMetadata, EntityShape>();

export function shapeOf(metadata: EntityMetadata): EntityShape {
  let shape = SHAPES.get(metadata);
  if (shape === undefined) SHAPES.set(metadata, (shape = new EntityShape(metadata)));
  return shape;
}

function isStored(column: ColumnMetadata, { childEntityMetadatas }: EntityMetadata): boolean {
  // With one table for a tree of classes, a parent lists the columns of its children too.
  const isOfChild = childEntityMetadatas.some(({ target }) => target === column.target);
  return !column.isVirtual && !column.isVirtualProperty && !column.isDiscriminator && !isOfChild;
}

/** Nothing but a property: its value is stored as it is. */
export function isPlain({
  embeddedMetadata,
  transformer,
  relationMetadata,
  referencedColumn,
}: ColumnMetadata): boolean {
  return [embeddedMetadata, transformer, relationMetadata, referencedColumn].every(
    (one) => one === undefined,
  );
}

/** Most columns are plain properties: those are read without asking TypeORM. */
function readerOf(column: ColumnMetadata): (entity: object) => FrozenValue {
  const { propertyName } = column;
  return isPlain(column)
    ? (entity) => freeze((entity as Record<string, unknown>)[propertyName])
    : (entity) => freeze(column.getEntityValue(entity, true));
}

function rootClassOf(metadata: EntityMetadata): EntityMetadata {
  if (metadata.inheritancePattern !== 'STI' && metadata.parentEntityMetadata?.inheritancePattern !== 'STI')
    return metadata;
  let root = metadata;
  while (root.parentEntityMetadata !== undefined) root = root.parentEntityMetadata;
  return root;
}
