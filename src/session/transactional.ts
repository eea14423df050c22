/** Runs a part of the work as its propagation says; Spring's TransactionInterceptor on sessions. */
import { readOptions, text } from '../engine/index.js';
import { PropagationError } from '../errors.js';
import { propagation, type Propagation, wayOf } from './propagation.js';
import { type RetryOptions, retryRule, withRetry } from './retry.js';
import { SCOPE_RULES, type ScopeOptions } from './scope-options.js';
import type { SessionPlace, WorkOptions } from './session-places.js';
import type { SessionBase } from './session.js';

/** Options of a part of the work. */
export interface TransactionalOptions extends Pick<ScopeOptions, 'isolation' | 'readOnly' | 'timeoutMs'> {
  /** Default `REQUIRED`. */
  readonly propagation?: Propagation;
  /**
   * Runs the part again when it failed and is known to have stored nothing. Only where the part is a unit of work of its own:
   * one that has joined another is run again with it.
   */
  readonly retry?: RetryOptions;
  /** What messages call the part. */
  readonly label?: string;
}

const { isolation, readOnly, timeoutMs } = SCOPE_RULES;
export const TRANSACTIONAL_RULES = {
  isolation,
  readOnly,
  timeoutMs,
  propagation,
  retry: retryRule,
  label: text,
};

export function readTransactionalOptions(what: string, given: unknown): TransactionalOptions {
  return readOptions(what, given, TRANSACTIONAL_RULES);
}

/** @param work - gets the session; undefined where the part runs outside of every unit of work */
export async function transactional<T>(
  place: SessionPlace,
  work: (session: SessionBase | undefined) => Promise<T> | T,
  {
    propagation: asked = 'REQUIRED',
    retry,
    label = 'scopedSession.transactional',
    ...own
  }: TransactionalOptions,
): Promise<T> {
  const isInside = place.isInside();
  switch (wayOf(asked, isInside)) {
    case 'join':
      return join(place, work, own);
    case 'savepoint':
      return nest(place, work, own);
    case 'open': {
      const options: WorkOptions = { ...own, label };
      const open = isInside ? 'independently' : 'run';
      return withRetry((counted) => place[open](work, { ...options, counted }), retry);
    }
    case 'outside':
      return place.outside(() => work(undefined));
    default:
      throw refusal(asked, label);
  }
}

type Wanted = Pick<TransactionalOptions, 'isolation' | 'readOnly'>;

/** Its failure is the whole's, whoever catches the error: half of it may be done. */
async function join<T>(
  place: SessionPlace,
  work: (session: SessionBase) => Promise<T> | T,
  wanted: Wanted,
): Promise<T> {
  const session = place.registry.get();
  const transaction = place.transaction();
  if (transaction === undefined) return work(session);
  transaction.refuseAfterEnd();
  transaction.agree(wanted);
  const { nested, state } = transaction;
  const { around } = nested;
  try {
    return await work(session);
  } catch (error) {
    // Where the savepoint was kept meanwhile, half of the part is the whole's.
    state.failedInside(error, nested.depthOf(around));
    throw error;
  }
}

async function nest<T>(
  place: SessionPlace,
  work: (session: SessionBase) => Promise<T> | T,
  wanted: Wanted,
): Promise<T> {
  const session = place.registry.get();
  place.transaction()?.agree(wanted);
  return session.beginNested(async () => work(session));
}

function refusal(asked: Propagation, label: string): PropagationError {
  return new PropagationError(
    asked === 'NEVER'
      ? `${label} must NEVER run in a transaction, and a unit of work is open around it. Call it outside, or let it run ` +
          "outside by itself (propagation 'NOT_SUPPORTED')."
      : `${label} has a transaction as MANDATORY, and no unit of work is open. Call it in a request, in ` +
          'scopedSession.run(fn), or in a method that opens one (REQUIRED).',
  );
}
