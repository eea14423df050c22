/** What a database holds, in plain words: rows by their keys, and pairs of posts and tags. */
import { KINDS_OF_THINGS, type KindOfThing } from './sequence-entities.js';

export type Scalar = string | number | null;
export type Row = Readonly<Record<string, Scalar>>;
/** Rows by their keys as text; pairs of a post and a tag as `post tag`. */
export interface Tables {
  readonly rows: Readonly<Record<KindOfThing, Map<string, Row>>>;
  readonly pairs: Set<string>;
}

export const noTables = (): Tables => ({
  rows: { author: new Map(), post: new Map(), remark: new Map(), tag: new Map() },
  pairs: new Set(),
});

/** Rows are never changed, only replaced. */
export function copyTables({ rows, pairs }: Tables): Tables {
  return {
    rows: {
      author: new Map(rows.author),
      post: new Map(rows.post),
      remark: new Map(rows.remark),
      tag: new Map(rows.tag),
    },
    pairs: new Set(pairs),
  };
}

export const textOf = (value: Scalar): string | null => (value === null ? null : String(value));

/** For messages and comparisons: sorted, one line per row. */
export function linesOf({ rows, pairs }: Tables): string[] {
  const lines = KINDS_OF_THINGS.flatMap((kind) =>
    [...rows[kind].values()].map((row) => `${kind} ${JSON.stringify(row, Object.keys(row).toSorted())}`),
  );
  return [...lines, ...[...pairs].map((pair) => `pair ${pair}`)].toSorted();
}
