/** A lease: given back or destroyed, once. */
import { describe, expect, it, vi } from 'vitest';
import { Lease } from '../../src/engine/lease.js';

function aLease() {
  const raw = { name: "the driver's connection" };
  const giveBack = vi.fn<() => Promise<void>>(async () => undefined);
  const destroy = vi.fn<() => void>();
  const ended = vi.fn<() => void>();
  return {
    raw,
    giveBack,
    destroy,
    ended,
    lease: new Lease({ raw, run: async () => undefined, giveBack, destroy }, ended),
  };
}

describe('a lease', () => {
  it("shows the driver's connection while it lasts", async () => {
    const { lease, raw } = aLease();
    expect(lease.raw).toBe(raw);
    await lease.release();
    expect(lease.raw).toBeUndefined();
  });

  it('gives the connection back once, however often it is released or destroyed', async () => {
    const { lease, giveBack, destroy, ended } = aLease();
    await Promise.all([lease.release(), lease.release()]);
    await lease.release();
    lease.destroy();
    expect(giveBack).toHaveBeenCalledTimes(1);
    expect(destroy).not.toHaveBeenCalled();
    expect(ended).toHaveBeenCalledTimes(1);
  });

  it('destroys the connection once, and gives it back never', async () => {
    const { lease, giveBack, destroy, ended } = aLease();
    lease.destroy();
    lease.destroy();
    await lease.release();
    expect(destroy).toHaveBeenCalledTimes(1);
    expect(giveBack).not.toHaveBeenCalled();
    expect(ended).toHaveBeenCalledTimes(1);
    expect(lease.raw).toBeUndefined();
  });

  it('waits until the connection is back', async () => {
    const { lease, giveBack } = aLease();
    const order: string[] = [];
    giveBack.mockImplementation(async () => {
      await Promise.resolve();
      order.push('back');
    });
    await lease.release();
    order.push('released');
    expect(order).toEqual(['back', 'released']);
  });

  it('is over even when the giving back fails', async () => {
    const { lease, giveBack, ended } = aLease();
    giveBack.mockRejectedValue(new Error('the file could not be written'));
    await expect(lease.release()).rejects.toThrow('the file could not be written');
    expect(lease.raw).toBeUndefined();
    expect(ended).toHaveBeenCalledTimes(1);
  });
});
