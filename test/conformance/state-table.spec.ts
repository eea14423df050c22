/** STA: every operation on an object in every state, one case each, as SQLAlchemy has them. */
import { describe, expect, it } from 'vitest';
import { KINDS, onEach } from '../support/databases.js';
import { type Place, type State, stateTable } from '../support/state-table.js';
import type { User } from '../support/users.js';

/** In a cell: `!` is a refusal, `>` what was sent. */
const REFUSALS: Readonly<Record<string, string>> = {
  'not persistent': 'is not persistent within this session',
  'not persisted': 'is not persisted: only what has a row can be deleted',
  'not present': 'is not present in this session',
  'was deleted': 'has been deleted. Use makeTransient',
  "another's": 'is already attached to another session',
  'never loaded': 'does not support transient objects',
  expired: 'User.name was expired',
};
const STATES = [
  'transient',
  'pending',
  'persistent',
  'changed',
  'new and flushed',
  'marked',
  'deleted',
  'detached',
] as const satisfies readonly State[];

interface Row {
  readonly operate: (place: Place) => Promise<string>;
  /** In the order of `STATES`. */
  readonly cells: string;
}

/** What is done with an object, and how it is afterwards. */
const on =
  (operation: (user: User, place: Place) => unknown): Row['operate'] =>
  async (place) => {
    const user = await place.make();
    await operation(user, place);
    return place.seen(user);
  };

/** Done by another session, which sees the object afterwards. */
const elsewhere =
  (operation: (user: User, other: Place['session']) => void): Row['operate'] =>
  async ({ factory, make, seen }) => {
    const user = await make();
    const other = factory.create();
    operation(user, other);
    const how = seen(user, other);
    await other.close();
    return how;
  };

const merged =
  (load: boolean): Row['operate'] =>
  async ({ make, seen, session }) => {
    const user = await make();
    const result = await session.merge(user, { load });
    return result === user ? `itself, ${seen(user)}` : `a copy, ${seen(result)}, of what is ${seen(user)}`;
  };

const TABLE: Readonly<Record<string, Row>> = {
  add: {
    operate: on((user, { session }) => session.add(user)),
    cells: `pending | pending | persistent | persistent changed | persistent | persistent | !was deleted | persistent`,
  },
  'add to another session': {
    operate: elsewhere((user, other) => other.add(user)),
    cells: `pending | !another's | !another's | !another's | !another's | !another's | !was deleted | persistent`,
  },
  delete: {
    operate: on((user, { session }) => session.delete(user)),
    cells: `!not persisted | !not persisted | persistent marked | persistent marked changed | persistent marked | persistent marked | persistent marked | persistent marked`,
  },
  'delete in another session': {
    operate: elsewhere((user, other) => other.delete(user)),
    cells: `!not persisted | !not persisted | !another's | !another's | !another's | !another's | !was deleted | persistent marked`,
  },
  flush: {
    operate: on((_user, { session }) => session.flush()),
    cells: `transient | persistent > INSERT users | persistent | persistent > UPDATE users | persistent | deleted > DELETE users | deleted | detached`,
  },
  commit: {
    operate: on((_user, { session }) => session.commit()),
    cells: `transient | persistent > INSERT users | persistent | persistent > UPDATE users | persistent | detached > DELETE users | detached | detached`,
  },
  rollback: {
    operate: on((_user, { session }) => session.rollback()),
    cells: `transient | transient | persistent expired | persistent expired | transient | persistent expired | persistent expired | detached`,
  },
  'the rollback of a savepoint that was begun before': {
    operate: async ({ make, seen, session }) => {
      const savepoint = await session.beginNested();
      const user = await make();
      await savepoint.rollback();
      return seen(user);
    },
    cells: `transient | transient | persistent | persistent expired | transient | persistent | persistent | detached`,
  },
  'the rollback of a savepoint that was begun afterwards': {
    operate: on(async (_user, { session }) => (await session.beginNested()).rollback()),
    cells: `transient | persistent > INSERT users | persistent | persistent > UPDATE users | persistent | deleted > DELETE users | deleted | detached`,
  },
  'the commit of a savepoint that was begun before': {
    operate: async ({ make, seen, session }) => {
      const savepoint = await session.beginNested();
      const user = await make();
      await savepoint.commit();
      return seen(user);
    },
    cells: `transient | persistent > INSERT users | persistent | persistent > UPDATE users | persistent | deleted > DELETE users | deleted | detached`,
  },
  close: {
    operate: on((_user, { session }) => session.close()),
    cells: `transient | transient | detached | detached changed | detached | detached | detached | detached`,
  },
  reset: {
    operate: on((_user, { session }) => session.reset()),
    cells: `transient | transient | detached | detached changed | detached | detached | detached | detached`,
  },
  'expungeAll, which lets go of what is deleted too (deviation: it stays attached)': {
    operate: on((_user, { session }) => session.expungeAll()),
    cells: `transient | transient | detached | detached changed | detached | detached | detached | detached`,
  },
  expunge: {
    operate: on((user, { session }) => session.expunge(user)),
    cells: `!not present | transient | detached | detached changed | detached | detached | detached | !not present`,
  },
  'expunge and rollback': {
    operate: on(async (user, { session }) => {
      session.expunge(user);
      await session.rollback();
    }),
    cells: `!not present | transient | detached | detached changed | detached | detached | detached | !not present`,
  },
  expire: {
    operate: on((user, { session }) => session.expire(user)),
    cells: `!not persistent | !not persistent | persistent expired | persistent expired | persistent expired | persistent marked expired | !not persistent | !not persistent`,
  },
  refresh: {
    operate: on((user, { session }) => session.noAutoflush(() => session.refresh(user))),
    cells: `!not persistent | !not persistent | persistent > SELECT users | persistent > SELECT users | persistent > SELECT users | persistent marked > SELECT users | !not persistent | !not persistent`,
  },
  merge: {
    operate: merged(true),
    cells: `a copy, pending, of what is transient | itself, persistent > INSERT users | itself, persistent | itself, persistent > UPDATE users | itself, persistent | a copy, pending > DELETE users > SELECT users, of what is deleted | a copy, pending > SELECT users, of what is deleted | a copy, persistent > SELECT users, of what is detached`,
  },
  'merge without loading': {
    operate: merged(false),
    cells: `!never loaded | !never loaded | itself, persistent | itself, persistent changed | itself, persistent | itself, persistent marked | a copy, persistent, of what is deleted | a copy, persistent, of what is detached`,
  },
  'an assignment': {
    operate: on((user) => Object.assign(user, { name: 'assigned' })),
    cells: `transient | pending | persistent changed | persistent changed | persistent changed | persistent marked changed | deleted changed | detached changed`,
  },
  'an assignment to what is expired': {
    operate: on((user, { session }) => {
      session.expire(user, ['name', 'nick']);
      user.name = 'assigned';
    }),
    cells: `!not persistent | !not persistent | persistent changed expired | persistent changed expired | persistent changed expired | persistent marked changed expired | !not persistent | !not persistent`,
  },
  'reading what is expired': {
    operate: on((user, { session }) => {
      session.expireAll();
      return user.name;
    }),
    cells: `transient | pending | !expired | !expired | !expired | !expired | deleted | detached`,
  },
};

onEach(KINDS, (database) => {
  const table = stateTable(database);

  describe.each(Object.entries(TABLE))('%s', (_operation, { operate, cells }) => {
    const wanted = cells.split(' | ');

    it.each(STATES.map((state, place) => [state, wanted[place]!] as const))(
      'of what is %s: %s',
      async (state, cell) => {
        const refusal: unknown = expect.stringMatching(new RegExp(`^refused: .*${REFUSALS[cell.slice(1)]}`));
        expect(await table.cell(state, operate)).toEqual(cell.startsWith('!') ? refusal : cell);
      },
    );
  });

  it('has a cell for each state', () => {
    for (const { cells } of Object.values(TABLE)) expect(cells.split(' | ')).toHaveLength(STATES.length);
  });
});
