/** One object of a unit of work: what it was when it was loaded or stored last, and what is to become of it. */
import type { RelationMetadata } from 'typeorm/metadata/RelationMetadata.js';
import type { EntityShape } from './entity-shape.js';
import { type FrozenValue, isSame } from './frozen-value.js';

/** SQLAlchemy's states of an object, as seen from one session. */
export const OBJECT_STATES = ['transient', 'pending', 'persistent', 'deleted', 'detached'] as const;
/** One of `OBJECT_STATES`. */
export type ObjectState = (typeof OBJECT_STATES)[number];

/** What a relation held: the keys of what it led to, null for nothing. */
export type RelationSnapshot = string | null | readonly string[];

export class TrackedObject {
  state: Exclude<ObjectState, 'transient'> = 'persistent';
  /** The identity map that it is in. */
  owner: object | undefined;
  /** Its values are not to be trusted any more. */
  isExpired = false;
  /** The properties that throw when they are read. */
  expired: Set<string> | undefined;
  /** Its row was deleted by a flush that was committed: it can only be made transient. */
  wasDeleted = false;
  /** `delete` was called; the next flush removes its row. */
  isMarkedDeleted = false;
  #relations: Map<RelationMetadata, RelationSnapshot> | undefined;

  constructor(
    readonly entity: object,
    readonly shape: EntityShape,
    /** What names its row; undefined for a new one whose key the database will make. */
    public key: string | undefined,
    /** In the order of the shape's columns; undefined: not loaded. */
    public snapshot: FrozenValue[] = shape.snapshotOf(entity),
  ) {}

  /** Of the relations that were loaded, and of those whose keys the row told; most classes of many rows have none. */
  get relations(): Map<RelationMetadata, RelationSnapshot> {
    return (this.#relations ??= new Map());
  }

  /**
   * The places of the columns whose values were changed; `undefined` on the object means "not loaded", never a change.
   *
   * @param since - what they were, where another object of the same class had the row before
   */
  changedColumns(since: readonly FrozenValue[] = this.snapshot): number[] {
    const changed: number[] = [];
    for (let place = 0; place < since.length; place += 1) {
      const value = this.read(place);
      if (value !== undefined && !isSame(value, since[place])) changed.push(place);
    }
    return changed;
  }

  get hasChangedColumns(): boolean {
    if (this.expired !== undefined) return this.changedColumns().length > 0;
    return this.shape.differs(this.entity, this.snapshot);
  }

  /** The value that would be stored, frozen; what is expired counts as not loaded. */
  read(place: number): FrozenValue {
    if (this.expired?.has(this.shape.roots[place]!) === true) return undefined;
    return this.shape.read(this.entity, place);
  }

  /** The key that it has now is that of its row. */
  takeKey(): void {
    for (const [place, column] of this.shape.columns.entries())
      if (column.isPrimary) this.snapshot[place] = this.read(place);
  }

  /** What it holds now. */
  values(): FrozenValue[] {
    if (this.expired === undefined) return this.shape.snapshotOf(this.entity);
    return this.shape.columns.map((_, place) => this.read(place));
  }

  /** What the object holds now is what is stored. */
  takeSnapshot(): void {
    this.snapshot = this.values();
  }
}
