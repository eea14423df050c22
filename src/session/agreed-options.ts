/** The options of a session's transaction: what one transaction, its unit of work, the session and the DataSource say. */
import {
  type BeginSettings,
  type IsolationLevel,
  isolationLevel,
  type TransactionOptions,
} from '../engine/index.js';
import { ConflictingTransactionOptionsError } from '../errors.js';
import type { Scope } from '../scope/index.js';
import { optionsOf } from './scope-options.js';

const NONE: TransactionOptions = Object.freeze({});
const PLAIN: BeginSettings = Object.freeze({ isolation: undefined, readOnly: false });

/** What a part of the whole asks for; TypeORM's users give the level as a text. */
export interface AskedOptions {
  readonly isolation?: string | undefined;
  readonly readOnly?: boolean | undefined;
}

export class AgreedOptions {
  #forThisOne: TransactionOptions = NONE;

  /** @param sources - the session's own options, and the unit of work whose options go before them */
  constructor(
    private readonly sources: BeginSettings & { readonly scope: Scope | undefined; readonly unitId: string },
    private readonly ofDataSource: IsolationLevel | undefined,
  ) {}

  /** What the next transaction is begun with. */
  get current(): BeginSettings {
    const [one, scope, session] = [this.#forThisOne, optionsOf(this.sources.scope), this.sources];
    const isolation = one.isolation ?? scope.isolation ?? session.isolation ?? this.ofDataSource;
    const readOnly = one.readOnly ?? scope.readOnly ?? session.readOnly ?? false;
    const begin = scope.begin ?? session.begin ?? 'explicit';
    const { twoPhase = false } = session;
    if (isolation === undefined && !readOnly && begin === 'explicit' && !twoPhase) return PLAIN;
    return {
      isolation,
      readOnly,
      begin,
      unrepeatableReads: scope.unrepeatableReads ?? session.unrepeatableReads,
      ...(twoPhase && { twoPhase, unit: session.unitId }),
    };
  }

  clear(): void {
    this.#forThisOne = NONE;
  }

  /** Sets options for the next transaction only. */
  set(options: TransactionOptions): void {
    this.#forThisOne = options;
  }

  /**
   * A part may ask for the level that the whole has; before the first statement the whole takes the part's level. It cannot
   * have more access than the whole; one that only reads may join one that writes, as in Spring, and nothing is enforced.
   *
   * @param running - the options of the transaction that runs; undefined while none does
   */
  agree({ isolation, readOnly }: AskedOptions, running: TransactionOptions | undefined): void {
    if (readOnly === false) refuseOther({ readOnly }, running ?? this.current);
    if (isolation === undefined) return;
    const asked = isolationLevel(isolation);
    if (running === undefined) this.#forThisOne = { ...this.#forThisOne, isolation: asked };
    else refuseOther({ isolation: asked }, running);
  }
}

/** A transaction that runs cannot take other options any more. Throws `SS_ERR_CONFLICTING_TRANSACTION_OPTIONS`. */
export function refuseOther(asked: TransactionOptions, running: TransactionOptions): void {
  for (const option of ['isolation', 'readOnly'] as const) {
    if (asked[option] === undefined || asked[option] === running[option]) continue;
    throw new ConflictingTransactionOptionsError(
      `A transaction with ${option} ${asked[option]} was asked for inside one with ` +
        `${running[option] ?? "the server's own"}. Set it for the whole unit of work before its first statement, or use ` +
        'scopedSession.independently(fn).',
    );
  }
}
