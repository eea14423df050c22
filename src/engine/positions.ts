/** Positions in a primary's log: what was committed is on a replica once it has come so far. */

export interface Positions {
  /** The position behind what was just committed on `connection`; undefined where the server keeps no log. */
  read(connection: unknown): Promise<string | undefined>;
  /** Waits on a replica for `position`; false when it has not come so far within `timeoutMs`. */
  reach(connection: unknown, position: string, timeoutMs: number): Promise<boolean>;
  /** Whether a text that came from outside has the form of a position. */
  isPosition(text: string): boolean;
  /** The one that is behind both. */
  later(one: string, other: string): string;
}

/** The later of two positions in one list for each origin (a domain, a server), told apart by what `split` says. */
export function laterOfEach(
  one: string,
  other: string,
  split: (part: string) => { origin: string; place: bigint },
): string {
  const latest = new Map<string, { part: string; place: bigint }>();
  for (const part of `${one},${other}`.split(/,\s*/)) {
    const { origin, place } = split(part);
    const known = latest.get(origin);
    if (known === undefined || place > known.place) latest.set(origin, { part, place });
  }
  return [...latest.values()].map(({ part }) => part).join(',');
}
