/** What TypeORM tells of a write. */
import type { EntityMetadata, ObjectLiteral } from 'typeorm';

/** A soft removal and its recovery change a date. */
export const WRITE_KINDS = ['insert', 'update', 'remove'] as const;
/** One of `WRITE_KINDS`. */
export type WriteKind = (typeof WRITE_KINDS)[number];

export interface Written {
  readonly kind: WriteKind;
  readonly metadata: EntityMetadata;
  /** The object that was stored, or what a query builder was given. */
  readonly entity: ObjectLiteral | undefined;
  /** What TypeORM had loaded to compare with. */
  readonly databaseEntity: ObjectLiteral | undefined;
  readonly identifier: unknown;
  /** A query builder's: which rows it wrote its statement alone says. */
  readonly isOfBuilder: boolean;
}
