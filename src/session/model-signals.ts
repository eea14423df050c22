/** Tells listeners which objects a COMMIT stores: Flask-SQLAlchemy's signals of changed models. */
import { InvalidOptionError, requireFunction } from '../errors.js';
import type { ModelChange } from '../unit-of-work/index.js';
import type { TransactionHooks } from './transaction-hooks.js';
import type { Warn } from './session-options.js';

/** Told of the objects that a COMMIT stores; what it returns is awaited. */
export type ModelsListener = (changes: readonly ModelChange[]) => unknown;

export class ModelSignals {
  readonly #before = new Set<ModelsListener>();
  readonly #after = new Set<ModelsListener>();

  /** @param isOn - whether sessions write down what they store */
  beforeCommit(listener: ModelsListener, isOn: boolean): () => void {
    return add(this.#before, listener, 'beforeModelsCommitted', isOn);
  }

  committed(listener: ModelsListener, isOn: boolean): () => void {
    return add(this.#after, listener, 'modelsCommitted', isOn);
  }

  /** Tells the listeners of a transaction when its hooks are called. */
  follow(hooks: TransactionHooks, stored: () => readonly ModelChange[], label: string, warn: Warn): void {
    hooks.add('beforeCommit', () => this.#tellBefore(stored()), 0);
    hooks.add('afterCommit', () => this.#tellCommitted(stored(), label, warn), 0);
  }

  /** One after the other; what one throws prevents the COMMIT. */
  async #tellBefore(changes: readonly ModelChange[]): Promise<void> {
    if (changes.length === 0) return;
    // In their order. oxlint-disable-next-line no-await-in-loop
    for (const listener of Array.from(this.#before)) await listener(changes);
  }

  /** When nothing can be changed any more, what a listener throws is reported. */
  async #tellCommitted(changes: readonly ModelChange[], label: string, warn: Warn): Promise<void> {
    if (changes.length === 0) return;
    for (const listener of Array.from(this.#after)) {
      try {
        // In their order. oxlint-disable-next-line no-await-in-loop
        await listener(changes);
      } catch (error) {
        warn(`${label}: a listener of modelsCommitted failed: ${String(error)}`);
      }
    }
  }
}

function add(
  listeners: Set<ModelsListener>,
  listener: ModelsListener,
  name: string,
  isOn: boolean,
): () => void {
  requireFunction(listener, `The listener of ${name}`);
  if (!isOn) {
    throw new InvalidOptionError(
      `${name} would never be told of anything: sessions track modifications with trackModifications: true only.`,
    );
  }
  // The same function twice is two listeners.
  const own: ModelsListener = (changes) => listener(changes);
  listeners.add(own);
  return () => void listeners.delete(own);
}
