/** What every part of a session builds on: its transaction, made at the first use. */
import type { Engine, StatementRecorder } from '../engine/index.js';
import { UnboundSessionError } from '../errors.js';
import { type NotFound, notFoundError } from './not-found.js';
import type { UnitOfWork } from '../unit-of-work/index.js';
import type { RecordedQuery } from './recorded-queries.js';
import type { Transaction } from './transaction.js';

/** What a session works on; its transaction is made at the session's first use. */
export interface SessionBinding {
  readonly engine: Engine;
  /** Makes the error of what is an answer of 404. */
  readonly notFound: NotFound;
  readonly recorder: StatementRecorder;
  /** The statements that were sent, where they are written down. */
  readonly recordedQueries: RecordedQuery[];
  /** Throws where nothing may be used any more. */
  start(session: object): Transaction;
}

// For the rooms beside, not for applications.
/** The transaction of a session, made where there is none. */
export let transactionOf: (session: SessionCore) => Transaction;
/** The transaction of a session that was used. */
export let startedTransactionOf: (session: SessionCore) => Transaction | undefined;
/** The objects of a session. */
export const unitOfWorkOf = (session: SessionCore): UnitOfWork => transactionOf(session).tracking.work;
/** Throws where the session has none. */
export let bindingOf: (session: SessionCore) => SessionBinding;
/** Makes the error of what is an answer of 404. */
export let notFoundOf: (session: SessionCore) => NotFound;
/** The statements that the session has sent, where they are written down. */
export let recordedOf: (session: SessionCore) => RecordedQuery[];
/** Runs what a public method promises: it may fail unseen, and the end of the unit of work tells of it then. */
export let promised: <T>(session: SessionCore, work: () => Promise<T>) => Promise<T>;

export class SessionCore {
  readonly #binding: SessionBinding | undefined;
  #transaction: Transaction | undefined;

  /** @internal */
  constructor(binding: SessionBinding | undefined) {
    this.#binding = binding;
  }

  static {
    transactionOf = (session) => session.#bound;
    startedTransactionOf = (session) => session.#transaction;
    bindingOf = (session) => session.#bindingOrRefuse;
    notFoundOf = (session) => session.#binding?.notFound ?? notFoundError;
    recordedOf = (session) => session.#binding?.recordedQueries ?? [];
    promised = (session, work) => {
      if (session.#binding === undefined) return work();
      const { block, pending } = session.#bound;
      return pending.promised(session.#binding.recorder.asking(work), block.isEnding);
    };
  }

  get #bound(): Transaction {
    return (this.#transaction ??= this.#bindingOrRefuse.start(this));
  }

  get #bindingOrRefuse(): SessionBinding {
    if (this.#binding === undefined) throw new UnboundSessionError(UNBOUND);
    return this.#binding;
  }
}

const UNBOUND =
  'This session is not bound to a DataSource. Pass one to sessionFactory(dataSource) or configure({ dataSource }).';
