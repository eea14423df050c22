/** What a part of the work does about the transaction that is there already: the seven propagations of Spring. */
import { oneOf, type Rule } from '../engine/index.js';

/** What a part may do about the transaction around it. */
export const PROPAGATIONS = [
  'REQUIRED',
  'SUPPORTS',
  'MANDATORY',
  'REQUIRES_NEW',
  'NOT_SUPPORTED',
  'NEVER',
  'NESTED',
] as const;
/**
 * `REQUIRED` joins, or opens a unit of work. `SUPPORTS` joins, or runs outside. `MANDATORY` joins, or is refused.
 * `REQUIRES_NEW` opens one of its own. `NOT_SUPPORTED` runs outside. `NEVER` runs outside, or is refused. `NESTED` opens a
 * savepoint, or a unit of work.
 */
export type Propagation = (typeof PROPAGATIONS)[number];

export const propagation: Rule<Propagation> = oneOf(PROPAGATIONS);

/** How a part is run. */
type Way = 'join' | 'savepoint' | 'open' | 'outside' | 'refuse';

/** By what is around it: a unit of work, or none. */
const WAYS: Readonly<Record<Propagation, { readonly inside: Way; readonly alone: Way }>> = {
  REQUIRED: { inside: 'join', alone: 'open' },
  SUPPORTS: { inside: 'join', alone: 'outside' },
  MANDATORY: { inside: 'join', alone: 'refuse' },
  REQUIRES_NEW: { inside: 'open', alone: 'open' },
  NOT_SUPPORTED: { inside: 'outside', alone: 'outside' },
  NEVER: { inside: 'refuse', alone: 'outside' },
  NESTED: { inside: 'savepoint', alone: 'open' },
};

export function wayOf(asked: Propagation, isInside: boolean): Way {
  return WAYS[asked][isInside ? 'inside' : 'alone'];
}
