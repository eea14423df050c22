/** TypeORM's own writing inside a session that tracks objects: they follow, and nothing is stored twice or by accident. */
import type { ScopedSession, SessionFactoryOptions } from 'nestjs-scoped-session';
import type { DataSource, Repository } from 'typeorm';
import { beforeEach, expect, it } from 'vitest';
import { KINDS, onEach } from '../support/databases.js';
import { Author, LIBRARY, Post, Setting, Tag } from '../support/library.js';
import { ours } from '../support/plain-and-ours.js';
import { StatementRecorder } from '../support/statement-recorder.js';

onEach(KINDS, (database) => {
  let dataSource: DataSource;
  let session: ScopedSession;
  let authors: Repository<Author>;
  let posts: Repository<Post>;
  const recorder = new StatementRecorder();

  const open = async (factory: SessionFactoryOptions = {}): Promise<void> => {
    const more = { entities: LIBRARY, logger: recorder };
    ({ dataSource, session } = await ours(database, more, factory));
    authors = dataSource.getRepository(Author);
    posts = dataSource.getRepository(Post);
    await dataSource.manager.insert(Author, [{ name: 'ann' }, { name: 'bob' }]);
    await dataSource.manager.insert(Tag, [{ name: 'red' }, { name: 'blue' }]);
    await dataSource.manager.insert(Post, { title: 'first', author: { id: 1 } });
  };
  beforeEach(() => open());

  const names = async (): Promise<string[]> =>
    (await dataSource.query<Author[]>('SELECT name FROM author ORDER BY id')).map(({ name }) => name);

  /** A flush has nothing to do. */
  const nothingToFlush = async (): Promise<void> => {
    expect([...session.dirty]).toEqual([]);
    recorder.take();
    await session.flush();
    expect(recorder.rowStatements).toEqual([]);
  };

  /** Does it behind a savepoint that is rolled back. */
  const undone = async (write: () => Promise<unknown>): Promise<void> => {
    const done = session.beginNested(async () => {
      await write();
      throw new Error('undone');
    });
    await expect(done).rejects.toThrow('undone');
  };

  it('masking a field of what a repository loaded writes nothing', () =>
    session.run(async () => {
      const author = await authors.findOneByOrFail({ id: 1 });
      author.name = '***';
      expect(session.inspect(author).state).toBe('transient');
      await session.getOrFail(Author, 2);
      await nothingToFlush();
      expect(await names()).toEqual(['ann', 'bob']);
    }));

  it('both sides see the rows of each other', () =>
    session.run(async () => {
      const carl = await authors.save({ name: 'carl' });
      expect((await session.getOrFail(Author, carl.id)).name).toBe('carl');
      session.add(authors.create({ name: 'dora' }));
      expect(await authors.countBy({ name: 'dora' })).toBe(1);
      expect(await authors.find({ order: { id: 'ASC' } })).toHaveLength(4);
    }));

  const writes: Record<string, (ann: Author) => Promise<unknown>> = {
    'repository.save of a tracked object': (ann) => {
      ann.name = 'anna';
      return authors.save(ann);
    },
    'repository.save of another object of its row': async () => authors.save({ id: 1, name: 'anna' }),
    'manager.save': async () => session.manager.save(Author, { id: 1, name: 'anna' }),
    'repository.update': async () => authors.update(1, { name: 'anna' }),
    'repository.update by a criterion': async () => authors.update({ name: 'ann' }, { name: 'anna' }),
    'a query builder': async () =>
      dataSource
        .createQueryBuilder()
        .update(Author)
        .set({ name: 'anna' })
        .where('likes = 0 AND id < 2')
        .execute(),
  };
  for (const [write, run] of Object.entries(writes)) {
    it(`${write}: a tracked object is true afterwards, and after a rollback`, () =>
      session.run(async () => {
        const ann = await session.getOrFail(Author, 1);
        const bob = await session.getOrFail(Author, 2);
        await undone(() => run(ann));
        expect((await session.get(Author, 1))!.name).toBe('ann');
        await run(ann);
        expect([ann.name, bob.name, ann.likes]).toEqual(['anna', 'bob', 0]);
        await nothingToFlush();
        expect(await names()).toEqual(['anna', 'bob']);
        await session.rollback();
        await session.refresh(ann);
        expect(ann.name).toBe('ann');
      }));
  }

  it('repository.upsert, by another column than the key', () =>
    session.run(async () => {
      const [ann, bob] = await session.find(Author, { order: { id: 'ASC' } });
      await undone(() => authors.upsert({ name: 'ann', likes: 5 }, ['name']));
      await session.refresh(ann!);
      expect(ann!.likes).toBe(0);
      await authors.upsert(
        [
          { name: 'ann', likes: 7 },
          { name: 'carl', likes: 8 },
        ],
        ['name'],
      );
      expect([ann!.likes, bob!.likes]).toEqual([7, 0]);
      await nothingToFlush();
      expect(await names()).toEqual(['ann', 'bob', 'carl']);
    }));

  it('increment: what was changed and not flushed is kept', () =>
    session.run(async () => {
      const ann = await session.getOrFail(Author, 1);
      await session.noAutoflush(async () => {
        ann.name = 'anna';
        await authors.increment({ id: 1 }, 'likes', 3);
      });
      expect([ann.name, ann.likes]).toEqual(['anna', 3]);
      await session.flush();
      expect(await names()).toEqual(['anna', 'bob']);
    }));

  it('by keys only, their objects are looked at and no others; without tracked objects, nothing is', () =>
    session.run(async () => {
      await authors.update(1, { likes: 1 });
      await session.find(Author);
      recorder.take();
      await authors.update([1, 2], { likes: 2 });
      await authors.update(2, { likes: 3 });
      await authors.insert({ name: 'carl' });
      const [both, second, ...none] = recorder.rowStatements.filter((sql) => /AS .Author_name/.test(sql));
      expect(both).toMatch(/IN \(\S+, \S+\)$/);
      expect(second).toMatch(/(?:IN \(\S+\)|= \S+)$/);
      expect(none).toEqual([]);
    }));

  const removals: Record<string, (ann: Author) => Promise<unknown>> = {
    'repository.remove of a tracked object': async (bob) => authors.remove(bob),
    'repository.remove of another object of its row': async () =>
      authors.remove(await authors.findOneByOrFail({ id: 2 })),
    'repository.delete': async () => authors.delete(2),
    'repository.delete by a criterion': async () => authors.delete({ name: 'bob' }),
  };
  for (const [removal, run] of Object.entries(removals)) {
    it(`${removal}: a tracked object is deleted, and back after a rollback`, () =>
      session.run(async () => {
        const bob = await session.getOrFail(Author, 2);
        await undone(async () => {
          await run(bob);
          expect(session.inspect(bob).state).toBe('deleted');
        });
        expect([session.inspect(bob).state, bob.id]).toEqual(['persistent', 2]);
        await session.refresh(bob);
        await run(bob);
        expect([session.inspect(bob).state, session.has(bob)]).toEqual(['deleted', false]);
        expect(await session.get(Author, 2)).toBeNull();
        await nothingToFlush();
        expect(await names()).toEqual(['ann']);
        await session.rollback();
        expect(session.inspect(bob).state).toBe('persistent');
        await session.refresh(bob);
        expect(bob.name).toBe('bob');
      }));
  }

  it('softRemove, recover, softDelete and restore', () =>
    session.run(async () => {
      const post = await session.getOrFail(Post, 1);
      await posts.softRemove(post);
      expect(post.deletedAt).toBeInstanceOf(Date);
      await nothingToFlush();
      await posts.recover(post);
      expect(post.deletedAt).toBeNull();
      await nothingToFlush();
      await posts.softDelete(1);
      expect(post.deletedAt).toBeInstanceOf(Date);
      await posts.restore({ title: 'first' });
      expect([post.deletedAt, session.inspect(post).state]).toEqual([null, 'persistent']);
      await nothingToFlush();
    }));

  it('what was added is stored once, by save() and by insert()', () =>
    session.run(async () => {
      const carl = authors.create({ name: 'carl' });
      session.add(carl);
      await authors.save(carl);
      const dora = Object.assign(new Author(), { name: 'dora' });
      session.add(dora);
      await authors.insert(dora);
      const emil = Object.assign(new Author(), { name: 'emil' });
      session.add(emil);
      await session.noAutoflush(() => authors.save(emil));
      for (const author of [carl, dora, emil]) expect(session.inspect(author).state).toBe('persistent');
      expect(await session.get(Author, dora.id)).toBe(dora);
      await nothingToFlush();
      expect(await names()).toEqual(['ann', 'bob', 'carl', 'dora', 'emil']);
      await session.rollback();
      for (const author of [carl, dora, emil]) expect(session.inspect(author).state).toBe('transient');
    }));

  it('relations: a foreign key, a cascade, and rows of a junction', () =>
    session.run(async () => {
      const [red, blue] = await session.find(Tag, { order: { id: 'ASC' } });
      const bob = await session.get(Author, 2);
      const post = (await session.findOne(Post, {
        where: { id: 1 },
        relations: { author: true, tags: true },
      }))!;
      await posts.update(1, { author: { id: 2 } });
      expect(post.author).toBe(bob);
      post.tags.push(red!);
      await session.noAutoflush(() => posts.save(post));
      await nothingToFlush();
      await dataSource.createQueryBuilder().relation(Post, 'tags').of(1).add(2);
      expect(post.tags.map(({ name }) => name).toSorted()).toEqual(['blue', 'red']);
      expect(post.tags).toContain(blue);
      await nothingToFlush();
      await dataSource.createQueryBuilder().relation(Post, 'tags').of(post).remove(red);
      expect(post.tags).toEqual([blue]);
      await nothingToFlush();
      post.tags = [red!];
      await session.flush();
      const stored = await posts.findOneOrFail({ where: { id: 1 }, relations: { tags: true } });
      expect(stored.tags.map(({ name }) => name)).toEqual(['red']);
    }));

  it("an entity's own methods", () =>
    session.run(async () => {
      const setting = Setting.create({ name: 'size' });
      await setting.save();
      const tracked = await session.getOrFail(Setting, setting.id);
      tracked.name = 'width';
      await tracked.save();
      await nothingToFlush();
      await Setting.update(setting.id, { name: 'height' });
      expect(tracked.name).toBe('height');
      await tracked.remove();
      expect([session.has(tracked), await Setting.count()]).toEqual([false, 0]);
    }));

  it('raw statements are not seen: expireAll() and refresh()', () =>
    session.run(async () => {
      const ann = await session.getOrFail(Author, 1);
      await dataSource.query("UPDATE author SET name = 'raw' WHERE id = 1");
      expect(ann.name).toBe('ann');
      session.expireAll();
      await session.get(Author, 1);
      expect(ann.name).toBe('raw');
    }));

  it('a session that tracks nothing has its runner as TypeORM made it', async () => {
    const plain = (): boolean =>
      !Object.getPrototypeOf(session.queryRunner.broadcaster).constructor.name.startsWith('Following');
    await session.run(async () => {
      await authors.update(1, { likes: 1 });
      expect(plain()).toBe(true);
      await session.get(Author, 1);
      expect(plain()).toBe(false);
    });
  });
});
