/** Errors: one class and one code each, known across copies of the package, with what the clean-up added. */
import * as library from 'nestjs-scoped-session';
import { InvalidScopeTokenError, PoolTimeoutError, ScopedSessionError } from 'nestjs-scoped-session';
import { describe, expect, it, vi } from 'vitest';
import * as errors from '../../src/errors.js';

type ErrorClass = new (message: string, details?: errors.ErrorDetails) => ScopedSessionError;

const classes = Object.entries(errors).filter(
  ([name, value]) => typeof value === 'function' && name.endsWith('Error') && value !== ScopedSessionError,
) as [string, ErrorClass][];

describe.each(classes)('%s', (name, Class) => {
  const error = new Class('what went wrong');

  it('is an Error of ours, with its own name, a message and a stack', () => {
    expect(error).toBeInstanceOf(Error);
    expect(error).toBeInstanceOf(ScopedSessionError);
    expect(error).toBeInstanceOf(Class);
    expect(error.name).toBe(name);
    expect(error.message).toContain('what went wrong');
    expect(error.stack).toContain(name);
  });

  it('has a stable code made of its name', () => {
    const words = name
      .replace(/Error$/, '')
      .replaceAll(/(?!^)[A-Z]/g, '_$&')
      .toUpperCase();
    expect(error.code).toBe(`SS_ERR_${words}`);
  });

  it('knows no outcome and no later errors by itself', () => {
    expect(error.outcome).toBeUndefined();
    expect(error.suppressed).toEqual([]);
    expect('cause' in error).toBe(false);
  });

  it('is exported', () => {
    expect(library).toHaveProperty(name, Class);
  });
});

describe('the errors', () => {
  it('have codes of their own', () => {
    const codes = classes.map(([, Class]) => new Class('x').code);
    expect(codes.length).toBeGreaterThan(20);
    expect(new Set(codes).size).toBe(codes.length);
  });

  it('are worth another try only where nothing was wrong with the program', () => {
    const retryable = classes.filter(([, Class]) => new Class('x').retryable).map(([name]) => name);
    expect(retryable.toSorted()).toEqual([
      'BackgroundQueueFullError',
      'ConnectionUnavailableError',
      'DrainingError',
      'PoolTimeoutError',
    ]);
  });

  it('carry a cause, also one that is undefined, and an outcome', () => {
    const cause = new Error('of the driver');
    const error = new PoolTimeoutError('x', { cause, outcome: 'rolledBack' });
    expect([error.cause, error.outcome]).toEqual([cause, 'rolledBack']);
    expect('cause' in new PoolTimeoutError('x', { cause: undefined })).toBe(true);
    expect(errors.OUTCOMES).toEqual(['committed', 'rolledBack', 'unknown']);
  });

  it('do not share their list of later errors', () => {
    const [a, b] = [new PoolTimeoutError('a'), new PoolTimeoutError('b')];
    errors.suppress(a, 'later');
    expect([a.suppressed, b.suppressed]).toEqual([['later'], []]);
  });

  it('are known by their brand, which a second copy of the package has too', async () => {
    vi.resetModules();
    const copy = await import('../../src/errors.js');
    expect(copy.ScopedSessionError).not.toBe(ScopedSessionError);
    const theirs = new copy.PoolTimeoutError('of the other copy');
    expect(theirs instanceof ScopedSessionError).toBe(true);
    expect(theirs instanceof PoolTimeoutError).toBe(false);
    expect(new copy.InvalidScopeTokenError(null) instanceof ScopedSessionError).toBe(true);
  });

  it('are told from everything else', () => {
    for (const other of [
      new Error('x'),
      null,
      undefined,
      'SS_ERR_POOL_TIMEOUT',
      { code: 'SS_ERR_POOL_TIMEOUT' },
    ])
      expect((other as unknown) instanceof ScopedSessionError).toBe(false);
    expect(new PoolTimeoutError('x') instanceof errors.DrainingError).toBe(false);
  });

  it('do not show their brand', () => {
    const keys = Object.keys(new PoolTimeoutError('x'));
    expect(keys.toSorted()).toEqual(['code', 'name', 'outcome', 'retryable', 'suppressed']);
    expect(Object.getOwnPropertySymbols(Object.assign({}, new PoolTimeoutError('x')))).toEqual([]);
  });
});

describe('InvalidScopeTokenError', () => {
  it('is a TypeError, as an unhashable key is in SQLAlchemy', () => {
    const error = new InvalidScopeTokenError(undefined);
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain('The scope function returned undefined');
    expect(new InvalidScopeTokenError(Symbol('s')).message).toContain('Symbol(s)');
  });
});

describe('suppress', () => {
  const later = new Error('of the clean-up');

  it('adds to the list of an error of ours', () => {
    const first = new PoolTimeoutError('first');
    errors.suppress(first, later);
    errors.suppress(first, 'and another');
    expect(first.suppressed).toEqual([later, 'and another']);
  });

  it('gives any other object a list', () => {
    const first: Error & { suppressed?: unknown[] } = new Error('first');
    errors.suppress(first, later);
    errors.suppress(first, later);
    expect(first.suppressed).toEqual([later, later]);
  });

  it('leaves alone what cannot take it', () => {
    const frozen = Object.freeze(new Error('frozen'));
    const other = Object.assign(new Error('has its own'), { suppressed: 'a text' });
    for (const first of [frozen, other, 'text', 7, null, undefined])
      expect(() => errors.suppress(first, later)).not.toThrow();
    expect(other.suppressed).toBe('a text');
    expect(frozen).not.toHaveProperty('suppressed');
  });
});
