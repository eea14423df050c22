/** What names a row in the identity map: the values of its primary key, as one text, however they were written. */

const BETWEEN = '\u0001';

/** Undefined where a part has no value. A number and its text name the same row. */
export function keyFrom(values: readonly unknown[]): string | undefined {
  if (values.some((value) => value === undefined || value === null)) return undefined;
  return values.length === 1 ? part(values[0]) : values.map(part).join(BETWEEN);
}

function part(value: unknown): string {
  if (value instanceof Date) return String(value.getTime());
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return typeof value === 'object' ? JSON.stringify(value) : (value as string | number | bigint).toString();
}

/** The texts of a key's parts. */
export function partsOf(key: string): string[] {
  return key.split(BETWEEN);
}
