/** What a flush leaves behind in objects, for the flushes, deletions and rollbacks that follow it. */
import type { SessionBase } from 'nestjs-scoped-session';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import { sequenceDatabase } from '../support/sequence-database.js';
import { SeqAuthor, SeqPost, SeqTag } from '../support/sequence-entities.js';

const author = (values: Partial<SeqAuthor> = {}): SeqAuthor =>
  Object.assign(new SeqAuthor(), { name: 'a', nick: null, ...values });
const post = (values: Partial<SeqPost> = {}): SeqPost =>
  Object.assign(new SeqPost(), { title: 'p', note: null, editor: null, ...values });
const tag = (code: string, label: string): SeqTag => Object.assign(new SeqTag(), { code, label });

onEach(['sqljs', 'mariadb', 'postgres'], (database) => {
  let session: SessionBase;
  const state = (entity: object): string => session.inspect(entity).state;

  beforeEach(async () => {
    session = (await sequenceDatabase(database)).factory.create();
  });

  afterEach(() => session.close());

  it('an expired version is counted, and known afterwards', async () => {
    const one = author();
    session.add(one);
    await session.flush();
    session.expire(one);
    one.nick = 'n';
    await session.flush();
    expect([one.nick, one.version]).toEqual(['n', 2]);
    expect(() => one.name).toThrow(/session.refresh/);
  });

  it('a version that was expired is so again when the flush fails', async () => {
    const one = author();
    session.addAll([one, author({ nick: 'taken' })]);
    await session.commit();
    session.expire(one);
    one.name = 'b';
    session.add(author({ nick: 'taken' }));
    await expect(session.flush()).rejects.toMatchObject({ name: 'QueryFailedError' });
    expect(() => one.version).toThrow(/session.refresh/);
    await session.rollback();
  });

  it('a savepoint takes back what was put into collections inside it', async () => {
    const one = author({ posts: [post({ tags: [] })] });
    const [first] = one.posts;
    session.add(one);
    await session.commit();
    const nested = session.beginNested(async () => {
      one.posts.push(post());
      first!.tags.push(tag('t', 'x'));
      await session.flush();
      throw new Error('no');
    });
    await expect(nested).rejects.toThrow('no');
    expect(() => one.posts).toThrow(/session.refresh/);
    expect(() => first!.tags).toThrow(/session.refresh/);
    await session.refresh(first!);
    await session.refresh(one);
    expect([one.posts, first!.tags]).toEqual([[first], []]);
  });

  it('who came into the database with a collection goes with its owner, loaded or not', async () => {
    const one = author({ posts: [post()] });
    const [first] = one.posts;
    session.add(one);
    await session.commit();
    session.expire(one);
    session.delete(one);
    await session.flush();
    expect(state(first!)).toBe('deleted');
  });

  it('who was refreshed still goes with its owner', async () => {
    const one = author({ posts: [post()] });
    const [first] = one.posts;
    session.add(one);
    await session.commit();
    await session.refresh(first!);
    session.expire(one);
    session.delete(one);
    await session.flush();
    expect(state(first!)).toBe('deleted');
  });

  it('who says that it belongs to another owner is not deleted with the former one', async () => {
    const [one, other] = [author({ posts: [post()] }), author()];
    const [first] = one.posts;
    session.addAll([one, other]);
    await session.commit();
    first!.author = other;
    await session.flush();
    session.delete(one);
    await session.flush();
    expect([state(one), state(first!)]).toEqual(['deleted', 'persistent']);
    expect(await session.count(SeqPost)).toBe(1);
  });

  it('a savepoint takes back the change of what was deleted later on in it', async () => {
    const one = author();
    session.add(one);
    const savepoint = await session.beginNested();
    one.name = 'b';
    await session.flush();
    session.delete(one);
    await session.flush();
    await savepoint.rollback();
    expect(state(one)).toBe('persistent');
    expect(() => one.name).toThrow(/session.refresh/);
  });

  it('of two new objects with the key of a deleted one, one is refused', async () => {
    const one = tag('t', 'x');
    session.add(one);
    await session.commit();
    session.delete(one);
    session.addAll([tag('t', 'y'), tag('t', 'z')]);
    await expect(session.flush()).rejects.toMatchObject({ name: 'QueryFailedError' });
    await session.rollback();
  });

  it('a graph that a rollback took away is stored as a whole when it is added again', async () => {
    const one = author({ posts: [post(), post({ title: 'q' })] });
    session.add(one);
    await session.flush();
    await session.rollback();
    expect(one.posts.map(state)).toEqual(['transient', 'transient']);
    session.add(one);
    await session.commit();
    expect(await session.count(SeqPost)).toBe(2);
    expect(one.posts.map(state)).toEqual(['persistent', 'persistent']);
  });
});
