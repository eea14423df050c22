/** A flush stores the columns that were changed and nothing else: values of every kind, keys, versions, defaults. */
import { expect, it } from 'vitest';
import { Country, Employee, Item, Person, Row, Seat, Token } from '../support/catalogue.js';
import { KINDS, onEach } from '../support/databases.js';
import { catalogue, flushing, make } from '../support/flushing.js';

onEach(KINDS, (database) => {
  const dataSource = catalogue(database);
  const inUnit = (work: Parameters<typeof flushing>[1]) => flushing(dataSource(), work);

  const item = (values: Partial<Item> = {}): Item =>
    make(Item, {
      name: 'chair',
      price: 12.5,
      soldAt: new Date(86_400_000),
      size: { width: 1, height: 2 },
      ...values,
    });

  it('a clean flush sends nothing', () =>
    inUnit(async ({ runner, load, flush, sent }) => {
      await runner.manager.save(item());
      await load(Item);
      await flush();
      expect(sent()).toEqual([]);
    }));

  it('only columns that changed are sent, and once', () =>
    inUnit(async ({ runner, load, flush, statements, sent }) => {
      await runner.manager.insert(Row, { name: 'a', amount: 1 });
      const [row] = await load(Row);
      row!.amount = 2;
      await flush();
      const [update, ...more] = statements();
      expect(update).toMatch(/^UPDATE .row. SET .amount. = \S+ WHERE .id. = \S+$/);
      expect(more).toEqual([]);
      await flush();
      expect(sent()).toEqual([]);
    }));

  it('undefined is "not loaded", null is a change', () =>
    inUnit(async ({ runner, load, flush, sent }) => {
      await runner.manager.insert(Country, { code: 'fr', name: 'France', capital: 'Paris' });
      const [country] = await load(Country, { order: { code: 'ASC' } });
      Object.assign(country!, { name: undefined, capital: null });
      await flush();
      expect(sent()).toEqual(['UPDATE country']);
      expect(await runner.manager.findBy(Country, {})).toEqual([
        { code: 'fr', name: 'France', capital: null },
      ]);
    }));

  it('a version is counted, and the date of the change is read back', () =>
    inUnit(async ({ runner, load, flush, sent }) => {
      await runner.manager.save(item());
      await runner.manager
        .createQueryBuilder()
        .update(Item)
        .set({ updatedAt: new Date(0) })
        .execute();
      const [chair] = await load(Item);
      const { version } = chair!;
      chair!.name = 'table';
      await flush();
      expect(sent()).toEqual(['UPDATE item', 'SELECT item']);
      expect(chair!.version).toBe(version + 1);
      expect(chair!.updatedAt.getTime()).toBeGreaterThan(0);
      expect(await runner.manager.findBy(Item, {})).toEqual([chair]);
      chair!.name = 'chair';
      await flush();
      expect(chair!.version).toBe(version + 2);
    }));

  it('embedded objects, dates, JSON and transformed values are compared as they are stored', () =>
    inUnit(async ({ runner, load, flush, statements }) => {
      await runner.manager.save(item({ settings: { a: 1 } }));
      const [chair] = await load(Item);
      chair!.size.height = 9;
      chair!.soldAt!.setTime(0);
      chair!.settings!['a'] = 2;
      chair!.price = 3.25;
      await flush();
      const [update] = statements();
      expect(update!.match(/[`"](\w+)[`"] = (?![`"]|now|CURR|datetime)/g)).toHaveLength(6);
      const [stored] = await runner.manager.find(Item);
      expect(stored).toEqual(chair);
      expect(await runner.query('SELECT price FROM item')).toEqual([{ price: 325 }]);
    }));

  it('what the database makes of a new row is read back', () =>
    inUnit(async ({ runner, add, flush }) => {
      const chair = item();
      add(chair);
      await flush();
      expect(chair).toMatchObject({ version: 1, stock: 7, settings: null, size: { width: 1, height: 2 } });
      expect(chair.createdAt).toBeInstanceOf(Date);
      expect(await runner.manager.find(Item)).toEqual([chair]);
    }));

  it('a key that is no number is made before the row is sent, unless it was given', () =>
    inUnit(async ({ runner, add, flush, sent }) => {
      const given = '11111111-1111-4111-8111-111111111111';
      const tokens = [make(Token, { name: 'a' }), make(Token, { name: 'b', id: given })];
      add(...tokens);
      await flush();
      expect(sent()).toEqual(['INSERT token']);
      expect(tokens[0]!.id).toMatch(/^[\da-f-]{36}$/);
      expect(tokens[1]!.id).toBe(given);
      for (const token of tokens)
        expect(await runner.manager.findOneBy(Token, { id: token.id })).toEqual(token);
    }));

  it('classes of one table are stored as what they are', () =>
    inUnit(async ({ runner, add, load, flush, sent }) => {
      add(make(Person, { name: 'p' }), make(Employee, { name: 'e', salary: 1 }));
      await flush();
      expect(sent()).toEqual(['INSERT person', 'INSERT person']);
      const [person, employee] = await load(Person);
      expect([person, employee].map((one) => one!.constructor)).toEqual([Person, Employee]);
      (employee as Employee).salary = 2;
      await flush();
      expect(sent()).toEqual(['UPDATE person']);
      expect(await runner.manager.findBy(Employee, { salary: 2 })).toHaveLength(1);
    }));

  it('a key of two columns names a row', () =>
    inUnit(async ({ runner, add, load, flush, sent, markDeleted }) => {
      add(...[1, 2, 3].map((place) => make(Seat, { line: 1, place, guest: 'nobody' })));
      await flush();
      const [one, two, three] = await load(Seat, { order: { place: 'ASC' } });
      one!.guest = 'one';
      two!.guest = 'two';
      markDeleted(three!);
      await flush();
      expect(sent()).toEqual(['UPDATE seat', 'DELETE seat']);
      expect(
        (await runner.manager.find(Seat, { order: { place: 'ASC' } })).map(({ guest }) => guest),
      ).toEqual(['one', 'two']);
    }));
});
