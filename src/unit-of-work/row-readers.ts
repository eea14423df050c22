/** The row readers of one query: one for each alias and class that it brings. */
import type { Driver, EntityMetadata } from 'typeorm';
import type { Alias } from 'typeorm/query-builder/Alias.js';
import type { QueryExpressionMap } from 'typeorm/query-builder/QueryExpressionMap.js';
import { RowReader } from './row-reader.js';

interface Found {
  readonly alias: Alias;
  readonly metadata: EntityMetadata;
  readonly reader: RowReader;
}

export class RowReaders {
  readonly #readers = new Map<Alias, Map<EntityMetadata, RowReader>>();
  readonly #asked: ReadonlySet<string>;
  #last: Found | undefined;

  /** @param nameOf - a column's name in the rows */
  constructor(
    { selects }: QueryExpressionMap,
    private readonly driver: Driver,
    private readonly nameOf: (alias: string, column: string) => string,
  ) {
    this.#asked = new Set(selects.map(({ selection }) => selection));
  }

  /** One row after the other asks for the same. */
  of(alias: Alias, metadata: EntityMetadata): RowReader {
    const last = this.#last;
    if (last?.alias === alias && last.metadata === metadata) return last.reader;
    const reader = this.#find(alias, metadata);
    this.#last = { alias, metadata, reader };
    return reader;
  }

  #find(alias: Alias, metadata: EntityMetadata): RowReader {
    let readers = this.#readers.get(alias);
    if (readers === undefined) this.#readers.set(alias, (readers = new Map()));
    let reader = readers.get(metadata);
    if (reader === undefined) {
      const { name } = alias;
      const ofQuery = {
        nameOf: (column: { databaseName: string }) => this.nameOf(name, column.databaseName),
        isAsked: (column: { propertyPath: string }) =>
          this.#asked.has(name) || this.#asked.has(`${name}.${column.propertyPath}`),
      };
      readers.set(metadata, (reader = new RowReader(metadata, ofQuery, this.driver)));
    }
    return reader;
  }
}
