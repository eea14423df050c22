/** The operations of a random sequence, and what they are called in a report. */
import type { KindOfThing } from './sequence-entities.js';
import type { Edit } from './sequence-edits.js';

export type Query =
  | { readonly do: 'find'; readonly kind: KindOfThing; readonly relations: readonly string[] }
  | { readonly do: 'find by'; readonly kind: KindOfThing; readonly column: string; readonly value: string }
  | { readonly do: 'count'; readonly kind: KindOfThing }
  | { readonly do: 'posts of'; readonly author: string }
  | { readonly do: 'get'; readonly name: string }
  | { readonly do: 'refresh'; readonly name: string };

export type Operation =
  | Edit
  | Query
  | { readonly do: 'change and back'; readonly name: string; readonly column: string; readonly value: string }
  | { readonly do: 'expire'; readonly name: string }
  | { readonly do: 'merge plain'; readonly name: string; readonly column: string; readonly value: string }
  | { readonly do: 'merge'; readonly name: string }
  | { readonly do: 'flush' | 'savepoint' | 'commit' | 'rollback' }
  | { readonly do: 'close'; readonly isFresh: boolean }
  | { readonly do: 'release' | 'roll back to'; readonly savepoint: number }
  | { readonly do: 'block'; readonly operations: readonly Operation[]; readonly throws: boolean }
  | { readonly do: 'both'; readonly queries: readonly [Query, Query] };

/** As one reads it: `change post3 title x`. */
export function told(operation: Operation, indent = '  '): string {
  if (operation.do !== 'block') {
    const { do: what, ...rest } = operation;
    return `${indent}${what} ${Object.values(rest)
      .map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))
      .join(' ')}`;
  }
  const inside = operation.operations.map((one) => told(one, `${indent}  `));
  return [`${indent}block`, ...inside, `${indent}${operation.throws ? 'throws' : 'ends'}`].join('\n');
}
