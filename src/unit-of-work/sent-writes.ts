/** Reads in the statements that query builders sent which rows they wrote, where it is said by keys alone. */
import type { EntityMetadata } from 'typeorm';
import { keyFrom } from './identity-key.js';
import { dataSourceOf } from './typeorm-versions.js';

interface Sent {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

const WRITES = /^\s*(?:insert|update|delete|replace)\b/i;
const UPSERTS = /\bon\s+(?:duplicate\s+key|conflict)\b|^\s*replace\b/i;
const CONDITION = /^(.*\bWHERE\b)(.*?)(?:\bRETURNING\b.*)?$/is;
/** Raw statements come here too, and nobody asks for them. */
const MOST_KEPT = 32;

export class SentWrites {
  #sent: Sent[] = [];
  /** Statements were given up that somebody may still ask for. */
  #isIncomplete = false;

  note(sql: string, parameters: unknown): void {
    if (!WRITES.test(sql)) return;
    this.#sent.push({ sql, parameters: Array.isArray(parameters) ? parameters : [] });
    if (this.#sent.length <= MOST_KEPT) return;
    this.#sent.shift();
    this.#isIncomplete = true;
  }

  /** Takes out the statements that wrote to a table; none where not all of them are known. */
  take({ tableName }: EntityMetadata): readonly Sent[] {
    if (this.#isIncomplete) {
      this.#sent = [];
      this.#isIncomplete = false;
    }
    const taken = this.#sent.filter(({ sql }) => sql.includes(tableName));
    if (taken.length > 0) this.#sent = this.#sent.filter((sent) => !taken.includes(sent));
    return taken;
  }
}

/** Whether one of them may have changed rows that were there. */
export function hasUpsert(statements: readonly Sent[]): boolean {
  return statements.some(({ sql }) => UPSERTS.test(sql));
}

/** Undefined: it may be any row. */
export function keysIn(
  statements: readonly Sent[],
  metadata: EntityMetadata,
): ReadonlySet<string> | undefined {
  const keys = new Set<string>();
  for (const sent of statements) {
    const found = keysOf(sent, metadata);
    if (found === undefined) return undefined;
    for (const key of found) keys.add(key);
  }
  return keys.size === 0 ? undefined : keys;
}

function keysOf({ sql, parameters }: Sent, metadata: EntityMetadata): string[] | undefined {
  const [column, ...more] = metadata.primaryColumns;
  const [, before, condition] = CONDITION.exec(sql) ?? [];
  if (column === undefined || more.length > 0 || condition === undefined) return undefined;
  const name = dataSourceOf(metadata).driver.escape(column.databaseName);
  const values: unknown[] = [];
  let asked = [...before!.matchAll(/\?/g)].length;
  // TypeORM writes numbers into the text of SQLite's statements.
  const rest = condition
    .replaceAll(name, ' ')
    .replaceAll(/\$(\d+)|\?|\b(\d+)\b/g, (_, place?: string, number?: string) => {
      values.push(number ?? parameters[place === undefined ? asked : Number(place) - 1]);
      if (number === undefined) asked += 1;
      return ' ';
    });
  const keys = values.map((value) => keyFrom([value]));
  const isOfKeys = keys.length > 0 && rest.replaceAll(/\b(?:IN|OR)\b|[\s(),=]/gi, '') === '';
  return isOfKeys && !keys.includes(undefined) ? (keys as string[]) : undefined;
}
