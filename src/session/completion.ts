/** How a unit of work came out, and what that decides between COMMIT and ROLLBACK. */
import type { CommitMode } from './scope-options.js';

/**
 * How the work came out. `value`: it returned. `error`: it threw. `abandoned`: whoever waited was told a failure already.
 * `aborted`: it is cut short here and now.
 */
export type Completion =
  | { readonly kind: 'value'; readonly status?: number | undefined }
  | {
      readonly kind: 'error' | 'abandoned' | 'aborted';
      readonly error: unknown;
      readonly status?: number | undefined;
    };

/** Whether a unit of work that came out with this status and error is rolled back. */
export type RollbackOn = (status: number | undefined, error: unknown) => boolean;

/** The decision table. */
export function decide(
  completion: Completion,
  options: { readonly commit: CommitMode; readonly rollbackOn?: RollbackOn | undefined },
): 'commit' | 'rollback' {
  const { kind } = completion;
  if (kind === 'abandoned' || kind === 'aborted' || options.commit === 'manual') return 'rollback';
  const error = kind === 'error' ? completion.error : undefined;
  const { status } = completion;
  if (options.rollbackOn !== undefined) return options.rollbackOn(status, error) ? 'rollback' : 'commit';
  return kind === 'error' || (status ?? 0) >= 400 ? 'rollback' : 'commit';
}
