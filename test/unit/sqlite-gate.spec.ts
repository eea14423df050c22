/** The gate of a SQLite database: one inside, the others in the order of their coming. */
import { describe, expect, it } from 'vitest';
import { SqliteGate } from '../../src/engine/sqlite-gate.js';

describe('the gate', () => {
  it('is empty at first and lets the first one in', async () => {
    const gate = new SqliteGate();
    expect([gate.owner, gate.waiting]).toEqual([undefined, 0]);
    const owner = {};
    await gate.enter(owner);
    expect(gate.owner).toBe(owner);
  });

  it('admits one at a time, first come first served', async () => {
    const gate = new SqliteGate();
    const order: number[] = [];
    let inside = 0;
    const visit = async (number: number): Promise<void> => {
      const leave = await gate.enter({ number });
      inside += 1;
      expect(inside).toBe(1);
      expect(gate.owner).toEqual({ number });
      order.push(number);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
      leave();
    };
    const visits = [1, 2, 3, 4].map(visit);
    expect(gate.waiting).toBe(3);
    await Promise.all(visits);
    expect(order).toEqual([1, 2, 3, 4]);
    expect([gate.owner, gate.waiting]).toEqual([undefined, 0]);
  });

  it('belongs to the next one from the moment it is left, so that nobody slips in between', async () => {
    const gate = new SqliteGate();
    const [first, second, third] = [{}, {}, {}];
    const leave = await gate.enter(first);
    const waiting = gate.enter(second);
    leave();
    expect(gate.owner).toBe(second);
    const slipping = gate.enter(third);
    expect(gate.waiting).toBe(1);
    (await waiting)();
    expect(gate.owner).toBe(third);
    (await slipping)();
    expect(gate.owner).toBeUndefined();
  });

  it('is left once: a second leave does not put the next one out', async () => {
    const gate = new SqliteGate();
    const leave = await gate.enter({});
    leave();
    const owner = {};
    await gate.enter(owner);
    leave();
    expect(gate.owner).toBe(owner);
  });
});
