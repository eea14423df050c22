/** Where the sessions of another database come from, for a session that reaches it. */
import type { Scope } from '../scope/index.js';
import type { Bind } from './binds.js';
import type { SessionOptions } from './session-options.js';
import type { SessionBase } from './session.js';
import type { Transaction } from './transaction.js';

/** Is told of a session's first use. */
export type Enlist = (transaction: Transaction, session: object) => void;

/** Where a session is made, and what its maker has said of it. */
export interface SessionSite {
  readonly scope: Scope | undefined;
  readonly enlist: Enlist;
  readonly overrides: SessionOptions | undefined;
  /** The session that it was made for, where there is one. */
  readonly maker?: { readonly unitId: string } | undefined;
}

/** A factory made by `sessionFactory`. */
export interface BoundFactory extends Pick<Bind['factory'], 'engine'> {
  /** @internal */
  createBound(name: string, site: SessionSite): SessionBase;
}

/** A database that sessions reach, and where its sessions are. */
export interface ReachedDatabase extends Bind {
  readonly factory: BoundFactory;
  /** Where units of work keep them; left out, a session makes its own. */
  readonly registry?: { get(): SessionBase };
}
