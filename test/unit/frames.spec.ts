/** Frames: the part of some owner's work that the running code belongs to. */
import { describe, expect, it } from 'vitest';
import { currentContext, currentFrame, runInFrame, runWithScope, Scope } from '../../src/scope/index.js';

describe('a frame', () => {
  const owner = { name: 'a transaction' };
  const other = { name: 'another transaction' };
  const part = { name: 'a savepoint' };

  it('is nothing outside', () => {
    expect(currentFrame(owner)).toBeUndefined();
    expect(currentContext()).toBeUndefined();
  });

  it('is found by its owner alone, also after an await, and is gone outside again', async () => {
    await runInFrame(owner, part, async () => {
      expect(currentFrame(owner)).toBe(part);
      await new Promise((resolve) => setImmediate(resolve));
      expect(currentFrame(owner)).toBe(part);
      expect(currentFrame(other)).toBeUndefined();
    });
    expect(currentFrame(owner)).toBeUndefined();
  });

  it('is the innermost of its owner, whatever others are inside it', () => {
    const inner = { name: 'an inner savepoint' };
    const others = { name: "the other's savepoint" };
    runInFrame(owner, part, () => {
      runInFrame(owner, inner, () => {
        runInFrame(other, others, () => {
          expect(currentFrame(owner)).toBe(inner);
          expect(currentFrame(other)).toBe(others);
        });
      });
      expect(currentFrame(owner)).toBe(part);
      expect(currentFrame(other)).toBeUndefined();
    });
  });

  it('leaves the scope as it is, and a scope opened inside leaves the frame as it is', () => {
    const scope = new Scope();
    runWithScope(scope, 'outer', () => {
      runInFrame(owner, part, () => {
        expect(currentContext()).toMatchObject({ scope, role: 'outer' });
        const inner = new Scope();
        runWithScope(inner, 'inner', () => {
          expect(currentContext()).toMatchObject({ scope: inner, role: 'inner' });
          expect(currentFrame(owner)).toBe(part);
        });
      });
    });
  });

  it('belongs to no scope outside every scope', () => {
    runInFrame(owner, part, () =>
      expect(currentContext()).toMatchObject({ scope: undefined, role: 'inner' }),
    );
  });

  it('does not reach code that runs at the same time', async () => {
    const [inside, outside] = await Promise.all([
      runInFrame(owner, part, async () => {
        await Promise.resolve();
        return currentFrame(owner);
      }),
      Promise.resolve().then(() => currentFrame(owner)),
    ]);
    expect(inside).toBe(part);
    expect(outside).toBeUndefined();
  });

  it('returns what the work returns and throws what it throws', () => {
    expect(runInFrame(owner, part, () => 1)).toBe(1);
    expect(() =>
      runInFrame(owner, part, () => {
        throw new RangeError('of the work');
      }),
    ).toThrow(RangeError);
  });
});
