/** Streams of rows whose listeners run where the stream was asked for, not where its connection was made. */
import { AsyncResource } from 'node:async_hooks';
import type { Readable } from 'node:stream';

type Emit = (...event: unknown[]) => boolean;

/**
 * A driver emits rows in the asynchronous context in which it opened the connection, which is somebody else's unit of work:
 * a listener would use the session of that one.
 */
export function emitInThisContext<T extends Readable>(rows: T): T {
  const context = new AsyncResource('ScopedSessionStream');
  const emit = rows.emit.bind(rows) as Emit;
  rows.emit = (...event: unknown[]): boolean => context.runInAsyncScope(emit, undefined, ...event);
  return rows;
}
