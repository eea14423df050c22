/** Refuses to store objects where a session tracks none, or may store nothing. */
import type { BeginSettings } from '../engine/index.js';
import { IllegalStateChangeError } from '../errors.js';

interface Untracking {
  readonly label: string;
  readonly tracks: boolean;
  readonly settings: { readonly unitOfWork: string };
  transactionOptions(): BeginSettings;
}

export function refuseUntracked({ label, settings, tracks }: Untracking): void {
  if (tracks) return;
  throw new IllegalStateChangeError(
    `${label} tracks no objects: ${settings.unitOfWork === 'off' ? "unitOfWork is 'off'" : 'it is read-only'}.`,
  );
}

export function refuseReadOnly(transaction: Untracking, name: string): void {
  if (transaction.transactionOptions().readOnly !== true) return;
  throw new IllegalStateChangeError(`${name} can't be called here: ${transaction.label} is read-only.`);
}
