/** EXP: refreshing what is expired: rows that are gone, collections, what is flushed first, and what has no session. */
import { DetachedInstanceError, ObjectDeletedError, type SessionBase } from 'nestjs-scoped-session';
import { Column, Entity, JoinColumn, ManyToOne, OneToMany, PrimaryGeneratedColumn } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALL_KINDS, onEach } from '../support/databases.js';
import { newUser, read, sent } from '../support/session-objects.js';
import { Address, User, type Users, users } from '../support/users.js';

@Entity('shelf')
class Shelf {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 20 })
  name!: string;

  @OneToMany(() => Book, (book) => book.shelf, { cascade: true })
  books!: Promise<Book[]>;
}

@Entity('book')
class Book {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 20 })
  title!: string;

  @ManyToOne(() => Shelf, (shelf) => shelf.books)
  @JoinColumn({ name: 'shelf_id' })
  shelf!: Promise<Shelf>;
}

onEach(ALL_KINDS, (database) => {
  let test: Users;
  let session: SessionBase;
  const one = async (): Promise<User> => {
    const found = await session.getOrFail(User, 1);
    sent(test);
    return found;
  };
  const changeRow = async (sql: string): Promise<void> => {
    await session.execute(sql);
    test.recorder.take();
  };
  const withAddress = async (): Promise<User> => {
    const found = await session.getOrFail(User, 1, { relations: { addresses: true } });
    found.addresses.push(Object.assign(new Address(), { email: 'a@b' }));
    await session.flush();
    sent(test);
    return found;
  };

  beforeEach(async () => {
    test = await users(database, { dataSource: { entities: [User, Address, Shelf, Book] } });
    session = test.factory.create();
  });

  afterEach(() => session.close());

  it('EXP-15: a row that is gone is an error, and the object stays', async () => {
    const found = await one();
    await changeRow('DELETE FROM users WHERE id = 1');
    session.expire(found);
    await expect(read(session, found, 'name')).rejects.toThrow(ObjectDeletedError);
    await expect(session.refresh(found)).rejects.toThrow(
      /^The row of this User has been deleted, or is otherwise/,
    );
    expect([session.has(found), session.inspect(found).state]).toEqual([true, 'persistent']);
    await session.rollback();
    expect(await read(session, found, 'name')).toBe('one');
  });

  it('EXP-25: a new child of an expired parent is not in its collection any more', async () => {
    const found = await withAddress();
    const child = Object.assign(new Address(), { email: 'c@d' });
    found.addresses.push(child);
    session.expire(found);
    expect(session.has(child)).toBe(false);
    await session.refresh(found, ['addresses']);
    expect(found.addresses.map(({ email }) => email)).toEqual(['a@b']);
    sent(test);
    await session.flush();
    expect(sent(test)).toEqual([]);
  });

  it('EXP-26: a column that was not set is null after the INSERT, and is asked for only once it is expired', async () => {
    const three = newUser({ name: 'three' });
    session.add(three);
    await session.flush();
    expect(sent(test)).toEqual(['INSERT users']);
    expect([three.nick, sent(test)]).toEqual([null, []]);
    session.expire(three);
    expect([await read(session, three, 'nick'), sent(test)]).toEqual([null, ['SELECT users']]);
  });

  it('EXP-27: what was added is stored before the SELECT', async () => {
    const found = await one();
    session.expire(found);
    session.add(newUser({ name: 'three' }));
    expect(await read(session, found, 'name')).toBe('one');
    expect(sent(test)).toEqual(['INSERT users', 'SELECT users']);
  });

  it('EXP-28: an expired parent and its collection are two SELECTs (deviation: TypeORM sends a third, for who belongs to whom)', async () => {
    const found = await withAddress();
    session.expire(found);
    expect((await read(session, found, 'addresses')).map(({ email }) => email)).toEqual(['a@b']);
    expect(sent(test)).toEqual(['SELECT users', 'SELECT addresses', 'SELECT addresses']);
  });

  it('a refresh gives up the changes of what it refreshes, and stores the others first', async () => {
    const found = await one();
    [found.name, found.nick] = ['given up', 'kept'];
    await session.refresh(found, ['name']);
    expect([found.name, found.nick]).toEqual(['one', 'kept']);
    expect(sent(test)).toEqual(['UPDATE users', 'SELECT users']);
    expect(await session.scalar('SELECT nick FROM users WHERE id = 1')).toBe('kept');
  });

  it('a refresh of everything stores nothing of the object', async () => {
    const found = await one();
    found.name = 'given up';
    await session.refresh(found);
    expect([found.name, sent(test)]).toEqual(['one', ['SELECT users']]);
  });

  describe('after close', () => {
    it('EXP-14: columns are there; a lazy relation has nobody to load it', async () => {
      const shelf = Object.assign(new Shelf(), { name: 'top' });
      session.add(shelf);
      await session.commit();
      session.expungeAll();
      const found = await session.getOrFail(Shelf, shelf.id);
      await session.close();
      expect(found.name).toBe('top');
      await expect(found.books).rejects.toThrow(DetachedInstanceError);
      await expect(found.books).rejects.toThrow(
        /^The Shelf of the lazy relation books belongs to no session/,
      );
    });

    it('a lazy relation is loaded by the session to which its object was added since', async () => {
      const shelf = Object.assign(new Shelf(), { name: 'top' });
      session.add(shelf);
      await session.commit();
      session.expungeAll();
      const found = await session.getOrFail(Shelf, shelf.id);
      await session.close();
      session.add(found);
      expect(await found.books).toEqual([]);
      const merged = await session.merge(Object.assign(new Shelf(), { id: shelf.id, name: 'low' }));
      expect(merged).toBe(found);
    });

    it('a lazy relation that was awaited before is there', async () => {
      const shelf = Object.assign(new Shelf(), { name: 'top' });
      session.add(shelf);
      const one = session.manager.create(Book, { title: 'one' });
      one.shelf = Promise.resolve(shelf);
      await one.shelf;
      session.add(one);
      await session.commit();
      session.expungeAll();
      const found = await session.getOrFail(Shelf, shelf.id);
      const [book] = await found.books;
      expect(session.has(book!)).toBe(true);
      await session.close();
      expect((await found.books).map(({ title }) => title)).toEqual(['one']);
    });

    it('an expired property has nobody to load it, until its object is in a session again', async () => {
      const found = await one();
      session.expire(found);
      await session.close();
      expect(() => found.name).toThrow(DetachedInstanceError);
      expect(() => found.name).toThrow(
        /^User.name was expired, and its object belongs to no session any more/,
      );
      found.nick = 'assigned';
      expect(found.nick).toBe('assigned');
      session.add(found);
      await session.refresh(found, ['name']);
      expect([found.name, found.nick]).toEqual(['one', 'assigned']);
    });
  });
});
