/** What every part of a session builds on: its transaction, made at the first use. */
import type { Engine, StatementRecorder } from '../engine/index.js';
import { UnboundSessionError } from '../errors.js';
import { type NotFound, notFoundError } from './not-found.js';
import type { UnitOfWork } from '../unit-of-work/index.js';
import type { Binds } from './binds.js';
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
  /** The databases that it reaches besides its own; undefined where there are none. */
  readonly binds: Binds | undefined;
  /** What its own is called among them. */
  readonly database: string;
  /** The session of another database in the same unit of work, and whether the unit of work knows it without us. */
  sessionOf(name: string): { readonly session: SessionCore; readonly isKnown: boolean };
}

interface Other {
  readonly name: string;
  readonly session: SessionCore;
  /** Whoever ends the unit of work has it already. */
  readonly isKnown: boolean;
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
/** The session that a class belongs to, where it is another one; `use` is the method that it is asked for. */
export let otherOf: (session: SessionCore, target: unknown, use: string) => SessionCore | undefined;
/** The session and those that were used through it, in the order of their commits. */
export let togetherOf: (session: SessionCore) => readonly SessionCore[];
/** The same without those that the unit of work ends by itself. */
export let ownTogetherOf: (session: SessionCore) => readonly SessionCore[];
/** What was used through it is not any more. */
export let partFromOthers: (session: SessionCore) => void;
/** Makes the error of what is an answer of 404. */
export let notFoundOf: (session: SessionCore) => NotFound;
/** The statements that the session has sent, where they are written down. */
export let recordedOf: (session: SessionCore) => RecordedQuery[];
/** Runs what a public method promises: it may fail unseen, and the end of the unit of work tells of it then. */
export let promised: <T>(session: SessionCore, work: () => Promise<T>) => Promise<T>;

export class SessionCore {
  readonly #binding: SessionBinding | undefined;
  #transaction: Transaction | undefined;
  /** Sessions of other databases that were used through this one. */
  #others: readonly Other[] | undefined;

  /** @internal */
  constructor(binding: SessionBinding | undefined) {
    this.#binding = binding;
  }

  static {
    transactionOf = (session) => session.#bound;
    startedTransactionOf = (session) => session.#transaction;
    bindingOf = (session) => session.#bindingOrRefuse;
    otherOf = (session, target, use) =>
      session.#binding?.binds === undefined ? undefined : session.#otherOf(target, use);
    togetherOf = (session) => session.#together(() => true);
    ownTogetherOf = (session) => session.#together(({ isKnown }) => !isKnown);
    partFromOthers = (session) => (session.#others = undefined);
    notFoundOf = (session) => session.#binding?.notFound ?? notFoundError;
    recordedOf = (session) => {
      const own = session.#binding?.recordedQueries ?? [];
      if (session.#others === undefined) return own;
      return session.#others
        .flatMap((other) => other.session.#binding?.recordedQueries ?? [])
        .concat(own)
        .toSorted((one, another) => one.endTime - another.endTime);
    };
    promised = (session, work) => {
      if (session.#binding === undefined) return work();
      const { block, pending } = session.#bound;
      return pending.promised(session.#binding.recorder.asking(work), block.isEnding);
    };
  }

  get #bound(): Transaction {
    return (this.#transaction ??= this.#bindingOrRefuse.start(this));
  }

  #otherOf(target: unknown, use: string): SessionCore | undefined {
    const { binds } = this.#bindingOrRefuse;
    const name = target === undefined ? undefined : binds!.otherOf(target);
    if (name === undefined) return undefined;
    const { state, block } = this.#bound;
    state.refuseAfterEnd(block.isEnding);
    // One session: what this one refuses, all of it refuses.
    if (!LOOKS.has(use)) state.enter();
    const known = this.#others?.find((other) => other.name === name)?.session;
    const other = known ?? this.#joined(name);
    if (state.rollbackOnly !== undefined) transactionOf(other).state.rollbackOnly ??= state.rollbackOnly;
    return other;
  }

  #joined(name: string): SessionCore {
    const other: Other = { name, ...this.#bindingOrRefuse.sessionOf(name) };
    this.#others = [...(this.#others ?? []), other];
    return other.session;
  }

  #together(isMeant: (other: Other) => boolean): readonly SessionCore[] {
    if (this.#others === undefined) return [this];
    const { binds, database } = this.#bindingOrRefuse;
    const own: Other = { name: database, session: this, isKnown: true };
    return [own, ...this.#others.filter(isMeant)]
      .toSorted((one, another) => binds!.rankOf(one.name) - binds!.rankOf(another.name))
      .map(({ session }) => session);
  }

  get #bindingOrRefuse(): SessionBinding {
    if (this.#binding === undefined) throw new UnboundSessionError(UNBOUND);
    return this.#binding;
  }
}

const UNBOUND =
  'This session is not bound to a DataSource. Pass one to sessionFactory(dataSource) or configure({ dataSource }).';

/** These begin nothing. */
const LOOKS: ReadonlySet<string> = new Set([
  'getBind',
  'getRepository',
  'has',
  'inspect',
  'isModified',
  'query',
  'stream',
]);
