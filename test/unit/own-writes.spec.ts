/** Who is remembered to have written, for how long, and how many. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { mysqlPositions } from '../../src/engine/mysql-positions.js';
import { OwnWrites } from '../../src/engine/own-writes.js';
import { postgresPositions } from '../../src/engine/postgres-positions.js';

const Ada = { key: 'Ada', forMs: 1_000 };

describe('a client', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => void vi.useRealTimers());

  it('is remembered for its time, counted from its last write', () => {
    const writes = new OwnWrites(mysqlPositions.later);
    writes.note({ client: Ada }, undefined);
    vi.advanceTimersByTime(900);
    writes.note({ client: Ada }, undefined);
    vi.advanceTimersByTime(1_000);
    expect(writes.of({ client: Ada })).toEqual({ position: undefined, until: 1_900 });
    vi.advanceTimersByTime(1);
    expect(writes.of({ client: Ada })).toBeUndefined();
  });

  it('is forgotten when ten thousand others have written since', () => {
    const writes = new OwnWrites(mysqlPositions.later);
    for (let n = 0; n <= 10_000; n += 1) writes.note({ client: { key: `${n}`, forMs: 1_000 } }, undefined);
    expect(writes.of({ client: { key: '0', forMs: 1_000 } })).toBeUndefined();
    expect(writes.of({ client: { key: '1', forMs: 1_000 } })).toBeDefined();
  });
});

describe('a unit of work', () => {
  it('sees its own writes and those of the ones inside it, and is seen by them', () => {
    const writes = new OwnWrites(postgresPositions.later);
    const outer = {};
    const [one, other] = [{ parent: outer }, { parent: outer }];
    writes.note(one, '0/10');
    for (const owner of [one, outer, other]) expect(writes.of(owner)).toEqual({ position: '0/10' });
    expect(writes.of({})).toBeUndefined();
  });

  it('has to see the later of two places, in whatever order they came', () => {
    const writes = new OwnWrites(postgresPositions.later);
    const owner = { client: Ada };
    writes.note(owner, '1/0');
    writes.note(owner, '0/FF');
    expect(writes.of(owner)?.position).toBe('1/0');
    writes.note({ client: Ada }, '1/A');
    expect(writes.of(owner)?.position).toBe('1/A');
  });

  it('stays on the primary once a place is not known', () => {
    const writes = new OwnWrites(postgresPositions.later);
    const owner = {};
    writes.note(owner, undefined);
    writes.note(owner, '0/10');
    expect(writes.of(owner)).toEqual({ position: undefined });
  });
});

describe('positions of MariaDB and MySQL', () => {
  const uuid = '3e11fa47-71ca-11e1-9e33-c80aa9429562';

  it.each([
    ['0-1-9', '0-1-10', '0-1-10'],
    ['0-1-10', '0-2-9', '0-1-10'],
    ['0-1-5,1-1-7', '1-1-6', '0-1-5,1-1-7'],
    [`${uuid}:1-9`, `${uuid}:1-10`, `${uuid}:1-10`],
    [`${uuid}:1-3:5-20`, `${uuid}:1-10`, `${uuid}:1-3:5-20`],
    [`${uuid}:1-3`, `${uuid}:tag:1-2`, `${uuid}:1-3,${uuid}:tag:1-2`],
  ])('behind %s and %s is %s', (one, other, later) => {
    expect(mysqlPositions.later(one, other)).toBe(later);
    expect(mysqlPositions.later(later, one)).toBe(later);
  });

  it.each([
    ['0-1-10', true],
    ['0-1-10,1-1-3', true],
    [`${uuid}:1-77:80`, true],
    [`${uuid}:1-77,${uuid}:tag:1-2`, true],
    ['0-1', false],
    ['', false],
    ['0-1-10,', false],
    ["0-1-10'", false],
    ['0-1-10 ', false],
    ['1-1-1,'.repeat(2_000), false],
  ])('%s is one: %s', (text, isPosition) => {
    expect(mysqlPositions.isPosition(text)).toBe(isPosition);
  });
});

describe('positions of PostgreSQL', () => {
  it.each([
    ['16/B374D848', true],
    ['0/0', true],
    ['0/', false],
    ['0/0; SELECT 1', false],
    ['123456789/0', false],
  ])('%s is one: %s', (text, isPosition) => {
    expect(postgresPositions.isPosition(text)).toBe(isPosition);
  });
});
