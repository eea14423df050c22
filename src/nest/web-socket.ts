/** A web socket's client as an application has it: whether it has gone, how it is told, and when it is acknowledged. */
import { type ExecutionContext } from '@nestjs/common';
import { type Observable, tap } from 'rxjs';

/** The clients of `ws` and of socket.io, as far as they are asked. */
export interface SocketClient {
  /** Of `ws`: 0 connecting, 1 open, 2 closing, 3 closed. */
  readonly readyState?: number;
  /** Of socket.io. */
  readonly connected?: boolean;
  send?(text: string): void;
  emit?(event: string, data: unknown): void;
}

const OPEN = 1;

export function hasGone({ readyState, connected }: SocketClient): boolean {
  return connected === false || (readyState !== undefined && readyState > OPEN);
}

/** Tells it of an error as Nest does: by the event `exception`. */
export function tellOfError(client: SocketClient, error: object): void {
  if (hasGone(client)) return;
  // A client of `ws` has an `emit` too, which only its own process hears.
  if (client.readyState !== undefined) client.send?.(JSON.stringify({ event: 'exception', data: error }));
  else client.emit?.('exception', error);
}

/**
 * Keeps an acknowledgement that the handler gives by hand (`@Ack()`) until its first value, or its end, may leave: after the
 * COMMIT. Of work that fails it is never given.
 */
export function holdAcknowledgement(
  context: ExecutionContext,
): (answers: Observable<unknown>) => Observable<unknown> {
  // Nest reads the handler's parameters from this array, which is this message's own.
  const given = context.getArgs<unknown[]>();
  const place = given.findIndex((one) => typeof one === 'function');
  if (place === -1) return (answers) => answers;
  const acknowledge = given[place] as (...what: unknown[]) => void;
  const held: unknown[][] = [];
  let isFree = false;
  const release = (): void => {
    isFree = true;
    for (const what of held.splice(0)) acknowledge(...what);
  };
  given[place] = (...what: unknown[]): void => (isFree ? acknowledge(...what) : void held.push(what));
  return tap({ next: release, complete: release });
}
