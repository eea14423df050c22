/** The conformance rows about flushing one object that need no session: states, keys, deletions, replacements. */
import { expect, it } from 'vitest';
import { Country, Employee, Person, Post, Remark, Row } from '../support/catalogue.js';
import { KINDS, onEach } from '../support/databases.js';
import { catalogue, flushing, make } from '../support/flushing.js';

onEach(KINDS, (database) => {
  const dataSource = catalogue(database);
  const inUnit = (work: Parameters<typeof flushing>[1]) => flushing(dataSource(), work);
  const rows = (count: number): Row[] =>
    Array.from({ length: count }, (_, place) => make(Row, { name: `row ${place}`, amount: place }));

  it('LIF-03, LIF-04: one INSERT, the key is set, the object is persistent; again sends nothing', () =>
    inUnit(async ({ add, map, flush, sent }) => {
      const [row] = rows(1);
      const [tracked] = add(row!);
      await flush();
      expect(sent()).toEqual(['INSERT row']);
      expect(tracked).toMatchObject({ state: 'persistent', key: String(row!.id) });
      expect(map.get(tracked!.shape.metadata, String(row!.id))).toBe(tracked);
      await flush();
      expect(sent()).toEqual([]);
    }));

  it('IDM-27: a change of the primary key is an UPDATE by the old one, and the map knows the new one', () =>
    inUnit(async ({ add, map, flush, statements, sent }) => {
      const france = make(Country, { code: 'fr', name: 'France' });
      const [tracked] = add(france);
      await flush();
      statements();
      france.code = 'FRA';
      await flush();
      expect(statements()).toEqual([
        expect.stringMatching(/^UPDATE .country. SET .code. = \S+ WHERE .code. = \S+$/),
      ]);
      expect(map.get(tracked!.shape.metadata, 'FRA')).toBe(tracked);
      expect(map.get(tracked!.shape.metadata, 'fr')).toBeUndefined();
      france.name = 'La France';
      await flush();
      expect(sent()).toEqual(['UPDATE country']);
    }));

  it("two objects that take each other's names are both found", () =>
    inUnit(async ({ add, map }) => {
      const [one, two] = add(make(Country, { code: 'fr' }), make(Country, { code: 'it' }));
      map.rename(one!, 'it');
      map.rename(two!, 'fr');
      const { metadata } = one!.shape;
      expect([map.get(metadata, 'it'), map.get(metadata, 'fr')]).toEqual([one, two]);
    }));

  it('STA-06, STA-12: what was marked, once or twice, is one DELETE; the object is deleted and out of the map', () =>
    inUnit(async ({ runner, add, map, flush, sent, markDeleted }) => {
      const [row] = rows(1);
      const [tracked] = add(row!);
      await flush();
      sent();
      markDeleted(row!);
      markDeleted(row!);
      await flush();
      expect(sent()).toEqual(['DELETE row']);
      expect(tracked).toMatchObject({ state: 'deleted', isMarkedDeleted: false });
      expect(map.size).toBe(0);
      expect(row!.id).toBeTypeOf('number');
      expect(await runner.manager.count(Row)).toBe(0);
      await flush();
    }));

  it('STA-13: what was marked and unmarked stays', () =>
    inUnit(async ({ add, map, flush, sent, markDeleted }) => {
      const [row] = rows(1);
      add(row!);
      await flush();
      sent();
      markDeleted(row!);
      map.of(row!)!.isMarkedDeleted = false;
      await flush();
      expect(sent()).toEqual([]);
    }));

  it('STA-32: changed and changed back is no change', () =>
    inUnit(async ({ add, flush, sent }) => {
      const [row] = rows(1);
      add(row!);
      await flush();
      sent();
      row!.name = 'other';
      row!.name = 'row 0';
      await flush();
      expect(sent()).toEqual([]);
    }));

  it('STA-37: who leaves a collection whose orphans go is one DELETE', () =>
    inUnit(async ({ add, flush, sent }) => {
      const post = make(Post, {
        title: 't',
        remarks: [make(Remark, { text: 'a' }), make(Remark, { text: 'b' })],
      });
      add(post);
      await flush();
      sent();
      post.remarks.pop();
      await flush();
      expect(sent()).toEqual(['DELETE remark']);
    }));

  it('STA-40: one object goes and another of its key comes: one UPDATE', () =>
    inUnit(async ({ runner, add, map, flush, statements, markDeleted }) => {
      const old = make(Country, { code: 'fr', name: 'France', capital: 'Vichy' });
      const [before] = add(old);
      await flush();
      statements();
      markDeleted(old);
      const [after] = add(make(Country, { code: 'fr', name: 'France', capital: 'Paris' }));
      await flush();
      expect(statements()).toEqual([
        expect.stringMatching(/^UPDATE .country. SET .capital. = \S+ WHERE .code. = \S+$/),
      ]);
      expect([before!.state, after!.state]).toEqual(['deleted', 'persistent']);
      expect(map.get(after!.shape.metadata, 'fr')).toBe(after);
      expect(await runner.manager.find(Country)).toEqual([{ code: 'fr', name: 'France', capital: 'Paris' }]);
    }));

  it('one object goes and another class of its table takes its key: that is refused before anything is sent', () =>
    inUnit(async ({ runner, add, flush, sent, markDeleted }) => {
      const person = make(Person, { name: 'p' });
      add(person);
      await flush();
      sent();
      markDeleted(person);
      add(make(Employee, { id: person.id, name: 'e', salary: 1 }));
      await expect(flush()).rejects.toThrow(
        /object of class Person is to be deleted and one of class Employee is to be added under the same key/,
      );
      expect(sent()).toEqual([]);
      expect(await runner.manager.find(Person)).toEqual([person]);
    }));
});
