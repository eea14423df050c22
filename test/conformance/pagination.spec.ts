/** PAG: one page of what a query finds, as Flask-SQLAlchemy makes it. */
import { NotFoundError, Pagination, type SessionBase } from 'nestjs-scoped-session';
import { expect, it } from 'vitest';
import { ALL_KINDS, isSqlite, onEach } from '../support/databases.js';
import { Address, User } from '../support/users.js';
import { usersSession } from '../support/users-session.js';

const NOT_FOUND = { code: 'SS_ERR_NOT_FOUND' };

/** As many users as that, beside the two that are there. */
async function more(session: SessionBase, count: number): Promise<void> {
  const mappings = Array.from({ length: count }, (_, index) => ({ name: `user ${index}` }));
  await session.bulkInsertMappings(User, mappings);
}

onEach(ALL_KINDS, (database) => {
  const test = usersSession(database);
  const ordered = () => test.session.query(User, 'user').orderBy('user.id');

  it('PAG-01: 150 rows: page 1 has 20 of them, and the two statements are those', async () => {
    await more(test.session, 148);
    test.take();
    const page = await test.session.paginate(ordered());
    expect(page).toBeInstanceOf(Pagination);
    expect(page).toMatchObject({
      page: 1,
      perPage: 20,
      total: 150,
      pages: 8,
      hasPrev: false,
      hasNext: true,
      prevNum: null,
      nextNum: 2,
      first: 1,
      last: 20,
    });
    expect([page.items.length, [...page].map(({ id }) => id)]).toEqual([
      20,
      Array.from({ length: 20 }, (_, index) => index + 1),
    ]);
    const [items, count, ...others] = test.recorder.rowStatements;
    expect(items).toMatch(/ORDER BY .* LIMIT 20/);
    expect(count).toMatch(/COUNT\(/);
    expect(count).not.toMatch(/ORDER BY/);
    expect(others).toEqual([]);
  });

  it('PAG-01: the last page has the rest, and what it has is tracked', async () => {
    await more(test.session, 148);
    const page = await test.session.paginate(ordered(), { page: '8' });
    expect(page).toMatchObject({
      hasPrev: true,
      hasNext: false,
      prevNum: 7,
      nextNum: null,
      first: 141,
      last: 150,
    });
    expect(page.items).toHaveLength(10);
    expect(test.state(page.items[0]!)).toBe('persistent');
    expect(await test.session.get(User, 141)).toBe(page.items[0]);
  });

  it('PAG-03: a page or perPage that is no whole number from 1 is a 404', async () => {
    for (const asked of [
      { page: 'abc' },
      { page: '' },
      { page: '1.5' },
      { page: 1.5 },
      { page: 0 },
      { page: '-1' },
      { page: '99999999999999999999' },
      { page: ['1', '2'] as never },
      { page: null as never },
      { perPage: -1 },
      { perPage: 'all' },
    ])
      await expect(test.session.paginate(User, asked)).rejects.toMatchObject(NOT_FOUND);
    await expect(test.session.paginate(User, { page: 'abc' })).rejects.toBeInstanceOf(NotFoundError);
  });

  it('PAG-03: with errorOut: false they are page 1 and 20 items', async () => {
    for (const [asked, page, perPage] of [
      [{ page: 'abc' }, 1, 20],
      [{ page: 0, perPage: 5 }, 1, 5],
      [{ perPage: -1 }, 1, 20],
      [{ page: ' 2 ', perPage: '+1' }, 2, 1],
      [{ page: 5 }, 5, 20],
    ] as const)
      expect(await test.session.paginate(ordered(), { ...asked, errorOut: false })).toMatchObject({
        page,
        perPage,
        total: 2,
      });
  });

  it('PAG-05: an empty table has an empty page 1, and no page 2', async () => {
    const none = test.session.query(Address);
    expect(await test.session.paginate(none)).toMatchObject({ items: [], total: 0, first: 0, last: 0 });
    await expect(test.session.paginate(none, { page: 2 })).rejects.toMatchObject(NOT_FOUND);
  });

  it('PAG-06, PAG-07: perPage is limited by maxPerPage, to 100 unless it says otherwise; null limits nothing', async () => {
    await more(test.session, 250);
    for (const [asked, perPage] of [
      [{ perPage: 100, maxPerPage: 50 }, 50],
      [{ perPage: 250 }, 100],
      [{ perPage: 250, maxPerPage: null }, 250],
    ] as const) {
      const page = await test.session.paginate(ordered(), { ...asked, page: 1 });
      expect([page.perPage, page.items.length]).toEqual([perPage, perPage]);
      const next = await page.next();
      expect([next.perPage, (await next.prev()).perPage]).toEqual([perPage, perPage]);
    }
  });

  it('PAG-09: where there is nothing there are no pages', async () => {
    const page = await test.session.paginate(Address);
    expect([page.pages, [...page.iterPages()], page.hasNext, page.hasPrev]).toEqual([0, [], false, false]);
  });

  it('turns pages without counting again, and without an error at their ends', async () => {
    await more(test.session, 3);
    const page = await test.session.paginate(ordered(), { page: 2, perPage: 2 });
    test.take();
    const [before, behind] = [await page.prev(), await page.next()];
    expect([before, behind].map(({ items }) => items.map(({ id }) => id))).toEqual([[1, 2], [5]]);
    expect([before.total, behind.total, behind.hasNext]).toEqual([5, 5, false]);
    expect(test.recorder.rowStatements.filter((sql) => sql.includes('COUNT('))).toEqual([]);
    expect(await before.prev()).toMatchObject({ page: 1 });
    expect(await behind.next()).toMatchObject({ page: 4, items: [], total: 5 });
    await expect(behind.next({ errorOut: true })).rejects.toMatchObject(NOT_FOUND);
    await expect(before.prev({ errorOut: true })).rejects.toMatchObject(NOT_FOUND);
  });

  it('counts nothing with count: false', async () => {
    const page = await test.session.paginate(ordered(), { count: false });
    expect(page).toMatchObject({ total: null, pages: 0, hasNext: false });
    expect(test.recorder.rowStatements).toHaveLength(1);
  });

  it('counts entities, and pages them, however many rows a join makes of each; the builder stays as it was', async () => {
    await more(test.session, 23);
    const mappings = Array.from({ length: 75 }, (_, index) => ({
      email: `${index}@x`,
      user: { id: (index % 25) + 1 },
    }));
    await test.session.bulkInsertMappings(Address, mappings);
    const query = test.session
      .query(User, 'user')
      .leftJoinAndSelect('user.addresses', 'address')
      .orderBy('user.id', 'DESC');
    const sql = query.getQuery();
    const page = await test.session.paginate(query, { page: 2, perPage: 10 });
    expect(page).toMatchObject({ total: 25, pages: 3, first: 11, last: 20 });
    expect(page.items.map(({ id }) => id)).toEqual([15, 14, 13, 12, 11, 10, 9, 8, 7, 6]);
    expect(page.items.map(({ addresses }) => addresses.length)).toEqual(Array(10).fill(3));
    expect(query.getQuery()).toBe(sql);
    expect(JSON.parse(JSON.stringify(page))).toMatchObject({
      page: 2,
      total: 25,
      items: [{ id: 15, addresses: [{}, {}, {}] }, ...Array.from({ length: 9 }, () => ({}))],
    });
  });

  it('counts groups, where the query groups its rows', async () => {
    await test.session.bulkInsertMappings(Address, [
      { email: 'a', user: { id: 1 } },
      { email: 'b', user: { id: 1 } },
      { email: 'c', user: { id: 2 } },
    ]);
    const query = test.session
      .query(User, 'user')
      .innerJoin('user.addresses', 'address')
      .groupBy('user.id')
      .having('COUNT(address.id) >= :least', { least: 2 });
    const page = await test.session.paginate(query, { perPage: 1 });
    expect([page.total, page.items.map(({ id }) => id)]).toEqual([1, [1]]);
  });

  it('takes a repository’s builder, which tracks nothing, and one with a limit of its own', async () => {
    await more(test.session, 8);
    const plain = test.session.getRepository(User).createQueryBuilder('user').orderBy('user.id').limit(1);
    const page = await test.session.paginate(plain, { page: 2, perPage: 4 });
    expect([page.total, page.items.map(({ id }) => id)]).toEqual([10, [5, 6, 7, 8]]);
    expect(test.session.has(page.items[0]!)).toBe(false);
  });

  it.skipIf(isSqlite(database.kind))('locks the items, and counts them without a lock', async () => {
    const page = await test.session.paginate(ordered().setLock('pessimistic_write'));
    expect(page.total).toBe(2);
    expect(test.recorder.rowStatements.map((sql) => sql.includes('FOR UPDATE'))).toEqual([true, false]);
  });

  it('sees what was not flushed yet', async () => {
    test.session.add(Object.assign(new User(), { name: 'three' }));
    expect(await test.session.paginate(ordered())).toMatchObject({ total: 3, last: 3 });
    await test.session.rollback();
  });

  it('refuses options and queries that it does not know, before anything is sent', async () => {
    for (const options of [{ perpage: 1 }, { maxPerPage: 0 }, { errorOut: 'no' }, { count: 1 }])
      await expect(test.session.paginate(User, options as never)).rejects.toMatchObject({
        code: 'SS_ERR_INVALID_OPTION',
      });
    await expect(test.session.paginate('SELECT 1' as never)).rejects.toMatchObject({
      code: 'SS_ERR_INVALID_PARAMETER',
    });
    expect(test.recorder.rowStatements).toEqual([]);
  });
});
