/** Parts of the work where sessions are kept under keys of the application's own, and beside another's unit of work. */
import {
  IllegalStateChangeError,
  InvalidOptionError,
  scopedSession,
  type ScopedSession,
} from 'nestjs-scoped-session';
import { beforeEach, describe, expect, it } from 'vitest';
import { KINDS, onEach, useDatabase } from '../support/databases.js';
import { type Ours, ours, texts } from '../support/plain-and-ours.js';

const INSERT = 'INSERT INTO note (text) VALUES (:text)';

onEach(KINDS, (database) => {
  let test: Ours;
  let keyed: ScopedSession;
  const add = (text: string): Promise<unknown> => keyed.execute(INSERT, { text });
  const failing = async (): Promise<never> => {
    throw new Error('fails');
  };

  beforeEach(async () => {
    test = await ours(database);
    keyed = scopedSession(test.session.sessionFactory, () => 'tenant a');
  });

  describe('under a key', () => {
    it.each(['REQUIRED', 'SUPPORTS', 'MANDATORY', 'NESTED'] as const)(
      'a part joins the unit of work that was opened, also before its first statement: %s',
      async (propagation) => {
        await keyed.run(async () => {
          await keyed.transactional(() => add('part'), { propagation });
          await add('whole');
        });
        expect(keyed.registry.has()).toBe(false);
        const work = keyed.run(async () => {
          await keyed.transactional(() => add('lost'), { propagation });
          await failing();
        });
        await expect(work).rejects.toThrow('fails');
        expect(await texts(test.dataSource)).toEqual(['part', 'whole']);
      },
    );

    it.each(['REQUIRES_NEW', 'NOT_SUPPORTED'] as const)(
      'there is no other unit of work: %s',
      async (propagation) => {
        const part = (): Promise<unknown> => keyed.transactional(() => add('part'), { propagation });
        await expect(keyed.run(part)).rejects.toBeInstanceOf(IllegalStateChangeError);
        expect(await texts(test.dataSource)).toEqual([]);
      },
    );

    it('a part has the options that it asks for', async () => {
      const readOnly = keyed.transactional(() => add('never'), { readOnly: true });
      await expect(readOnly).rejects.toBeInstanceOf(Error);
      await expect(keyed.run(() => add('never'), { readOnly: true })).rejects.toBeInstanceOf(Error);
      await expect(keyed.run(() => add('never'), { timeoutMs: 100 })).rejects.toBeInstanceOf(
        InvalidOptionError,
      );
      expect(await texts(test.dataSource)).toEqual([]);
    });
  });
});

onEach(['sqljs', 'mariadb'], (database) => {
  const second = useDatabase('sqljs');

  it('inside the unit of work of another scoped session, a part that is REQUIRED opens its own', async () => {
    const [one, two] = [await ours(database), await ours(second)];
    await one.session.run(() => two.session.transactional(() => two.session.execute(INSERT, { text: 'x' })));
    expect(await texts(two.dataSource)).toEqual(['x']);
    const mandatory = one.session.run(() =>
      two.session.transactional(() => undefined, { propagation: 'MANDATORY' }),
    );
    await expect(mandatory).rejects.toThrow(/MANDATORY/);
    await one.session.run(() =>
      two.session.transactional(async () => {
        await two.session.execute(INSERT, { text: 'y' });
        await one.session.transactional(() => one.session.execute(INSERT, { text: 'z' }));
      }),
    );
    expect(await texts(one.dataSource)).toEqual(['z']);
    expect([...one.warnings, ...two.warnings]).toEqual([]);
  });
});

onEach(KINDS, (database) => {
  let test: Ours;
  const asked = (
    isolation: 'SERIALIZABLE' | 'READ UNCOMMITTED',
    work: () => Promise<unknown>,
  ): Promise<unknown> => test.session.transactional(work, { isolation });

  it('a part cannot take the level that the whole, or a part around it, has asked for, also before the first statement', async () => {
    test = await ours(database);
    const nothing = async (): Promise<void> => undefined;
    const inside = test.session.run(() => asked('READ UNCOMMITTED', nothing), { isolation: 'SERIALIZABLE' });
    await expect(inside).rejects.toThrow('READ UNCOMMITTED was asked for inside one with SERIALIZABLE');
    const parts = test.session.run(() => asked('SERIALIZABLE', () => asked('READ UNCOMMITTED', nothing)));
    await expect(parts).rejects.toThrow('READ UNCOMMITTED was asked for inside one with SERIALIZABLE');
    const begun = test.session.run(async (session) => {
      await session.begin({ isolation: 'SERIALIZABLE' });
      await asked('READ UNCOMMITTED', nothing);
    });
    await expect(begun).rejects.toThrow('READ UNCOMMITTED was asked for inside one with SERIALIZABLE');
    await test.session.run(() => asked('SERIALIZABLE', () => asked('SERIALIZABLE', nothing)));
  });
});
