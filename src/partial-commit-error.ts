/** The error of a unit of work that is committed in one database and not in another. */
import { type ErrorDetails, ScopedSessionError } from './scoped-session-error.js';

/** What became of the databases of one unit of work, by their names. */
export interface CommittedInPart {
  readonly committed: readonly string[];
  readonly rolledBack: readonly string[];
  /** No answer to their COMMIT came that would tell. */
  readonly unknown: readonly string[];
}

/** The COMMIT of one database failed after that of another was done, and nothing can undo it; `cause` is the failure. */
export class PartialCommitError extends ScopedSessionError implements CommittedInPart {
  readonly code = 'SS_ERR_PARTIAL_COMMIT';
  readonly committed: readonly string[];
  readonly rolledBack: readonly string[];
  readonly unknown: readonly string[];

  constructor(message: string, details?: ErrorDetails, databases: CommittedInPart = IN_NO_DATABASE) {
    super(message, details);
    this.committed = databases.committed;
    this.rolledBack = databases.rolledBack;
    this.unknown = databases.unknown;
  }
}

const IN_NO_DATABASE: CommittedInPart = { committed: [], rolledBack: [], unknown: [] };
