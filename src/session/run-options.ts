/** The options of `run` and `independently`. */
import { readOptions, text } from '../engine/index.js';
import { type RetryOptions, retryRule } from './retry.js';
import { SCOPE_RULES, type ScopeOptions } from './scope-options.js';

/** Options of `run` and `independently`. */
export interface RunOptions extends Omit<ScopeOptions, 'commit' | 'repositories'> {
  /** What messages call the work. */
  readonly label?: string;
  /** Whom the work is done for, by a short name: for 5 seconds it reads on replicas no later than what it wrote. */
  readonly client?: string;
  /** Runs the work again when it failed and is known to have stored nothing; left out, it runs once. */
  readonly retry?: RetryOptions;
}

const { commit: _commit, repositories: _repositories, ...OF_WORK } = SCOPE_RULES;
const RULES = { ...OF_WORK, label: text, client: text, retry: retryRule };

export function readRunOptions(what: string, given: unknown): RunOptions {
  return readOptions(what, given, RULES);
}
