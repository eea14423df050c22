/** What a session is made on: the engine, the options that hold for it, and the scope that it is in. */
import { randomUUID } from 'node:crypto';
import {
  type BeginMode,
  type Engine,
  type IsolationLevel,
  NO_RECORDER,
  type StatementRecorder,
} from '../engine/index.js';
import { currentScope, runWithScope, type Scope } from '../scope/index.js';
import type { Binds } from './binds.js';
import type { ReachedDatabase, SessionSite } from './bound-factory.js';
import type { EndingOptions } from './ending.js';
import type { FactorySettings } from './factory-options.js';
import type { ModelSignals } from './model-signals.js';
import { type NotFound, notFoundError } from './not-found.js';
import { RecordedQueries, type RecordedQuery, recordedQueries } from './recorded-queries.js';
import type { SessionBinding } from './session-core.js';
import type { UnitOfWorkMode, Warn } from './session-options.js';
import type { SessionBase } from './session.js';
import { Transaction } from './transaction.js';
import type { TransactionSettings } from './transaction-settings.js';

/**
 * What a session is made on, and its transaction with it. Most sessions of requests are looked at and not used: what a
 * transaction needs is made at the first use.
 */
export class Binding implements SessionBinding, TransactionSettings {
  readonly #recorded: RecordedQueries | undefined;
  #unitId: string | undefined;

  constructor(
    readonly engine: Engine,
    private readonly settings: FactorySettings,
    private readonly site: SessionSite,
    private readonly ending: EndingOptions,
    readonly signals: ModelSignals,
    readonly database: string,
    readonly binds: Binds<ReachedDatabase> | undefined,
  ) {
    this.#recorded = recordedQueries(settings.recordQueries);
  }

  get scope(): Scope | undefined {
    return this.site.scope;
  }

  sessionOf(name: string): { session: SessionBase; isKnown: boolean } {
    const { scope } = this;
    const { factory, registry } = this.binds!.named(name);
    return scope === undefined || registry === undefined
      ? { session: factory.createBound(name, { ...this.site, maker: this }), isKnown: false }
      : { session: runWithScope(scope, 'inner', () => registry.get()), isKnown: true };
  }

  get twoPhase(): boolean | undefined {
    return this.settings.twoPhase;
  }

  /** That of the session which made this one, where one did. */
  get unitId(): string {
    return this.scope?.id ?? this.site.maker?.unitId ?? (this.#unitId ??= randomUUID());
  }

  get recorder(): StatementRecorder {
    return this.#recorded ?? NO_RECORDER;
  }

  get recordedQueries(): RecordedQuery[] {
    return this.#recorded?.queries ?? [];
  }

  get label(): string | undefined {
    return this.settings.label;
  }

  get autobegin(): boolean {
    return this.settings.autobegin ?? true;
  }

  get unitOfWork(): UnitOfWorkMode {
    return this.settings.unitOfWork ?? 'session';
  }

  get autoflush(): boolean {
    return this.settings.autoflush ?? true;
  }

  get trackModifications(): boolean {
    return this.settings.trackModifications ?? false;
  }

  get expireOnCommit(): boolean {
    return this.settings.expireOnCommit ?? false;
  }

  get isolation(): IsolationLevel | undefined {
    return this.settings.isolation;
  }

  get readOnly(): boolean | undefined {
    return this.settings.readOnly;
  }

  get begin(): BeginMode | undefined {
    return this.settings.begin;
  }

  get unrepeatableReads(): boolean | undefined {
    return this.settings.unrepeatableReads;
  }

  get notFound(): NotFound {
    return this.settings.notFound ?? notFoundError;
  }

  get warn(): Warn {
    return this.ending.warn;
  }

  get settleTimeoutMs(): number {
    return this.ending.settleTimeoutMs;
  }

  start(session: object): Transaction {
    const { scope } = this;
    const transaction = new Transaction(this.engine, this);
    if (scope?.isOpen === false) transaction.state.end(scope.endedBy);
    else this.site.enlist(transaction, session);
    if (scope === undefined) transaction.leaseSlot.parent = currentScope();
    return transaction;
  }
}
