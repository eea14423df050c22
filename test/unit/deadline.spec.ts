/** withDeadline: what comes in time, what comes too late, what fails. */
import { describe, expect, it, vi } from 'vitest';
import { withDeadline } from '../../src/engine/deadline.js';
import { signal } from '../support/wait-until.js';

const timeout = new Error('too late');
const never = (): Error => {
  throw new Error('nobody was late');
};

describe('withDeadline', () => {
  it('gives what arrives in time, and leaves no timer behind', async () => {
    const clear = vi.spyOn(globalThis, 'clearTimeout');
    const late = vi.fn<(value: unknown) => void>();
    await expect(withDeadline(Promise.resolve('here'), 60_000, never, late)).resolves.toBe('here');
    expect(clear).toHaveBeenCalledTimes(1);
    expect(late).not.toHaveBeenCalled();
    clear.mockRestore();
  });

  it('passes an error on as it is, and leaves no timer behind', async () => {
    const clear = vi.spyOn(globalThis, 'clearTimeout');
    const failure = new Error('of the driver');
    const failing = withDeadline(Promise.reject(failure), 60_000, never, () => undefined);
    await expect(failing).rejects.toBe(failure);
    expect(clear).toHaveBeenCalledTimes(1);
    clear.mockRestore();
  });

  it('makes an error of what is none', async () => {
    // oxlint-disable-next-line prefer-promise-reject-errors -- some drivers do
    const failing = withDeadline(Promise.reject('words'), 60_000, never, () => undefined);
    await expect(failing).rejects.toEqual(new Error('words'));
  });

  it('throws the error of the timeout, which is made at that moment', async () => {
    const timedOut = vi.fn<() => Error>(() => timeout);
    const waiting = withDeadline(new Promise(() => undefined), 1, timedOut, () => undefined);
    expect(timedOut).not.toHaveBeenCalled();
    await expect(waiting).rejects.toBe(timeout);
    expect(timedOut).toHaveBeenCalledTimes(1);
  });

  it('hands what arrives too late to the one who puts it away', async () => {
    const arriving = signal<string>();
    const late = vi.fn<(value: string) => void>();
    await expect(withDeadline(arriving.promise, 0, () => timeout, late)).rejects.toBe(timeout);
    expect(late).not.toHaveBeenCalled();
    arriving.resolve('a connection');
    await arriving.promise;
    expect(late).toHaveBeenCalledExactlyOnceWith('a connection');
  });

  it('swallows an error that arrives too late: the first one was told', async () => {
    const arriving = signal();
    const late = vi.fn<() => void>();
    await expect(withDeadline(arriving.promise, 0, () => timeout, late)).rejects.toBe(timeout);
    arriving.reject(new Error('later'));
    await arriving.promise.catch(() => undefined);
    expect(late).not.toHaveBeenCalled();
  });
});
