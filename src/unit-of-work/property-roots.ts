/** The property of an entity through which one of its columns or relations is reached. */
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { EmbeddedMetadata } from 'typeorm/metadata/EmbeddedMetadata.js';

/** A column or a relation. */
export interface Member {
  readonly propertyName: string;
  readonly embeddedMetadata?: EmbeddedMetadata | undefined;
}

/** The column is nothing but the key of a relation of the same name. */
export function isRelationItself({ propertyPath, relationMetadata }: ColumnMetadata): boolean {
  return relationMetadata?.propertyPath === propertyPath;
}

/** Of what is embedded, the outermost object. */
export function rootOf({ embeddedMetadata, propertyName }: Member): string {
  return embeddedMetadata?.embeddedMetadataTree[0]?.propertyName ?? propertyName;
}
