/** Where a query runner keeps the identity map of its unit of work. */
import type { QueryRunner } from 'typeorm';
import type { IdentityMap } from './identity-map.js';

/** The property of a query runner through which everything that is loaded on it finds the map; without it TypeORM is plain. */
export const IDENTITY = Symbol('nestjs-scoped-session.identity');

/** A query runner that may belong to a unit of work. */
export interface IdentityRunner extends QueryRunner {
  [IDENTITY]?: IdentityMap | undefined;
  readonly [TRACKS_EVERYTHING]?: boolean;
}

/** The property of a query runner that says whether TypeORM's own managers track what they load on it. */
export const TRACKS_EVERYTHING = Symbol('nestjs-scoped-session.everything');

export function identityOf(runner: IdentityRunner): IdentityMap | undefined {
  return runner[IDENTITY];
}
