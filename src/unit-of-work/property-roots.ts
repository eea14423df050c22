/** The property of an entity through which one of its columns or relations is reached. */
import type { EmbeddedMetadata } from 'typeorm/metadata/EmbeddedMetadata.js';

/** A column or a relation. */
export interface Member {
  readonly propertyName: string;
  readonly embeddedMetadata?: EmbeddedMetadata | undefined;
}

/** Of what is embedded, the outermost object. */
export function rootOf({ embeddedMetadata, propertyName }: Member): string {
  return embeddedMetadata?.embeddedMetadataTree[0]?.propertyName ?? propertyName;
}
