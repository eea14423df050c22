/** Which of several databases a class belongs to, and what a bind may be. */
import {
  BindKey,
  InvalidOptionError,
  type ScopedSession,
  type SessionFactory,
  sessionFactory,
  UnboundSessionError,
} from 'nestjs-scoped-session';
import type { DataSource } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { bound, connect, PAIRS } from '../support/bound.js';
import { useDatabase } from '../support/databases.js';
import { Audited, AuditedTwice, Nowhere, Report, report } from '../support/reports.js';

describe.each(PAIRS)('%s and %s', (firstKind, secondKind) => {
  const first = useDatabase(firstKind);
  const second = useDatabase(secondKind);
  let own: DataSource;
  let reporting: DataSource;
  let sent: string[];
  let sessions: SessionFactory;
  let session: ScopedSession;

  beforeEach(async () => {
    ({ own, reporting, sent, sessions, session } = await bound(first, second));
  });

  it('a class says where it belongs by its bind key, and so do those that extend it', async () => {
    await session.run(async () => {
      session.add(Object.assign(new Audited(), { id: 1, text: 'a' }));
      session.add(Object.assign(new AuditedTwice(), { id: 2, text: 'b' }));
      expect(session.getBind(AuditedTwice)).toBe(reporting);
    });
    expect(sent).toEqual(['reporting: INSERT', 'reporting: INSERT', 'reporting: COMMIT']);
    expect(await own.manager.count(Audited)).toBe(0);
    expect([await reporting.manager.count(Audited), await reporting.manager.count(AuditedTwice)]).toEqual([
      1, 1,
    ]);
  });

  it('FLK-19: an unknown bind key is refused, and those that exist are named', async () => {
    await session.run(async () => {
      const unknown =
        'Nowhere has the bind key "nope", and there is no such database; there are: default, reporting.';
      await expect(session.get(Nowhere, 1)).rejects.toThrow(unknown);
      await expect(session.get(Nowhere, 1)).rejects.toBeInstanceOf(UnboundSessionError);
      expect(() => session.add(new Nowhere())).toThrow(unknown);
      expect(() => session.query(Nowhere)).toThrow(unknown);
    });
  });

  it('a class that several others know is refused until somebody says which', async () => {
    const elsewhere = await connect(second, 'elsewhere', [Report]);
    const both = { reporting, elsewhere };
    const one = sessionFactory(own, { binds: both }).create();
    await expect(one.get(Report, 1)).rejects.toThrow(
      'Report is an entity of the databases "reporting" and "elsewhere": @BindKey(name) on the class says which',
    );
    const stated = { reporting, elsewhere: { target: elsewhere, entities: [Report] } };
    const two = sessionFactory(own, { binds: stated }).create();
    expect(two.getBind(Report)).toBe(elsewhere);
    await Promise.all([one.close(), two.close()]);
  });

  it('a bind may be a factory with options of its own; others have those of the session', async () => {
    const readers = sessionFactory(reporting, { readOnly: true });
    const one = sessionFactory(own, { binds: { reporting: readers } }).create();
    expect(() => one.add(report('r'))).toThrow('read-only');
    const two = sessions.create({ readOnly: true });
    expect(() => two.add(report('r'))).toThrow('read-only');
    await Promise.all([one.close(), two.close()]);
  });

  it('with autobegin: false the other begins with the session, and not before', async () => {
    const one = sessions.create({ autobegin: false });
    await expect(one.get(Report, 1)).rejects.toMatchObject({ code: 'SS_ERR_AUTOBEGIN_DISABLED' });
    await one.begin();
    expect(await one.get(Report, 1)).toBeNull();
    await one.rollback();
    await one.close();
  });

  it('what makes no sense is refused at once', () => {
    const make = (binds: unknown) => () => sessionFactory(own, { binds: binds as never });
    expect(make('reporting')).toThrow(InvalidOptionError);
    expect(make({ reporting: 1 })).toThrow(/The bind "reporting" must be a TypeORM DataSource/);
    expect(make({ reporting: { entities: [] } })).toThrow(/The bind "reporting": its target must be/);
    expect(make({ reporting: { target: reporting, entity: Report } })).toThrow(/no option "entity"/);
    expect(make({ default: reporting })).toThrow(/the name of the factory's own database/);
    expect(() => BindKey('')).toThrow(InvalidOptionError);
  });
});
