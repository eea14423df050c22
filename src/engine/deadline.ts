/** One absolute, monotonic deadline for something that may also arrive too late. */

/** How long one waits, and what is said when it was too long. */
export interface Patience {
  readonly timeoutMs: number;
  readonly timedOut: () => Error;
}

/**
 * Waits for `arriving` until `timeoutMs` have passed. What arrives after that is handed to `late`, so that nothing leaks.
 *
 * @param timedOut - makes the error of the timeout, at the moment it happens
 */
export function withDeadline<T>(
  arriving: Promise<T>,
  timeoutMs: number,
  timedOut: () => Error,
  late: (arrived: T) => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let isOver = false;
    const timer = setTimeout(() => {
      isOver = true;
      reject(timedOut());
    }, timeoutMs);
    arriving.then(
      (arrived) => {
        clearTimeout(timer);
        if (isOver) late(arrived);
        else resolve(arrived);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
