/** What a database does to the rows that refer to a deleted one is true of their objects too. */
import {
  Column,
  Entity,
  JoinColumn,
  ManyToOne,
  OneToMany,
  PrimaryGeneratedColumn,
  QueryFailedError,
} from 'typeorm';
import { expect, it } from 'vitest';
import { flush } from '../../src/unit-of-work/index.js';
import { KINDS, onEach } from '../support/databases.js';
import { make } from '../support/flushing.js';
import { useUnitOfWork } from '../support/unit-of-work.js';

@Entity()
class Owner {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 20 })
  name!: string;

  @OneToMany(() => Free, (free) => free.owner)
  free!: Free[];

  @OneToMany(() => Bound, (bound) => bound.owner)
  bound!: Bound[];

  @OneToMany(() => Holding, (holding) => holding.owner)
  holding!: Holding[];
}

/** Stays, and has no owner then. */
@Entity()
class Free {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'int', nullable: true })
  ownerId!: number | null;

  @ManyToOne(() => Owner, (owner) => owner.free, { onDelete: 'SET NULL' })
  @JoinColumn({ name: 'ownerId' })
  owner!: Owner | null;
}

/** Goes with its owner. */
@Entity()
class Bound {
  @PrimaryGeneratedColumn()
  id!: number;

  @ManyToOne(() => Owner, (owner) => owner.bound, { onDelete: 'CASCADE' })
  owner!: Owner;
}

/** Goes with what it belongs to, and has an owner too. */
@Entity()
class Part {
  @PrimaryGeneratedColumn()
  id!: number;

  @ManyToOne(() => Bound, { onDelete: 'CASCADE' })
  whole!: Bound;

  @ManyToOne(() => Owner, { nullable: true, onDelete: 'SET NULL' })
  owner!: Owner | null;
}

/** Its owner cannot go, though the column may be empty. */
@Entity()
class Holding {
  @PrimaryGeneratedColumn()
  id!: number;

  @ManyToOne(() => Owner, (owner) => owner.holding, { nullable: true })
  owner!: Owner | null;
}

onEach(KINDS, (database) => {
  const unit = useUnitOfWork(database, {
    entities: [Owner, Free, Bound, Part, Holding],
    store: async (manager) => {
      for (const name of ['a', 'b']) {
        const owner = await manager.save(make(Owner, { name }));
        await manager.save(make(Free, { owner }));
        const whole = await manager.save(make(Bound, { owner }));
        await manager.save([make(Part, { whole, owner: null }), make(Part, { whole, owner })]);
      }
      const owner = await manager.save(make(Owner, { name: 'held' }));
      await manager.save(make(Holding, { owner }));
    },
  });
  const send = async (): Promise<string[]> => {
    unit.sent();
    await flush(unit.map, unit.runner);
    return unit.sent().map((sql) => /^\w+/.exec(sql)![0]);
  };
  const owner = (name: string, relations: readonly (keyof Owner)[] = []): Promise<Owner> =>
    unit.manager.findOneOrFail(Owner, {
      where: { name },
      relations: Object.fromEntries(relations.map((relation) => [relation, true])),
    });

  it.each([
    ['that was loaded', { owner: true }],
    ['of which the row told', {}],
  ])('SET NULL: the owner %s is none any more, and the object is clean', async (_, relations) => {
    const [a, b] = [await owner('a', ['free']), await owner('b')];
    const all = await unit.manager.find(Free, { relations, order: { id: 'ASC' } });
    unit.tracked(a).isMarkedDeleted = true;
    expect(await send()).toEqual(['DELETE']);
    expect(all.map(({ ownerId }) => ownerId)).toEqual([null, b.id]);
    expect(all[0]!.owner).toBe('owner' in relations ? null : undefined);
    expect(unit.tracked(all[0]!).state).toBe('persistent');
    expect(await send()).toEqual([]);
    all[0]!.owner = b;
    expect(await send()).toEqual(['UPDATE']);
    expect(all[0]!.ownerId).toBe(b.id);
  });

  it('SET NULL: who was given another owner in the same flush keeps that', async () => {
    const [a, b] = [await owner('a'), await owner('b')];
    const [free] = await unit.manager.find(Free, { relations: { owner: true }, order: { id: 'ASC' } });
    free!.owner = b;
    unit.tracked(a).isMarkedDeleted = true;
    expect(await send()).toEqual(['UPDATE', 'DELETE']);
    expect([free!.owner, free!.ownerId]).toEqual([b, b.id]);
    expect(await send()).toEqual([]);
  });

  it('CASCADE: what belonged to it is deleted too, and what belonged to that', async () => {
    const a = await owner('a', ['bound']);
    const [gone, kept] = await unit.manager.find(Bound, { order: { id: 'ASC' } });
    const parts = await unit.manager.find(Part, { order: { id: 'ASC' } });
    const tracked = [a, gone!, ...parts.slice(0, 2)].map((one) => unit.tracked(one));
    unit.tracked(a).isMarkedDeleted = true;
    expect(await send()).toEqual(['DELETE']);
    expect(tracked.map(({ state }) => state)).toEqual(tracked.map(() => 'deleted'));
    expect(tracked.map(({ entity }) => unit.map.of(entity))).toEqual(tracked.map(() => undefined));
    expect([kept!, ...parts.slice(2)].map((one) => unit.tracked(one).state)).toEqual(
      Array.from({ length: 3 }, () => 'persistent'),
    );
    expect(await unit.manager.find(Bound)).toEqual([kept]);
    expect(await send()).toEqual([]);
  });

  it('without either the database refuses, as with remove() of TypeORM', async () => {
    const held = await owner('held', ['holding']);
    expect(held.holding).toHaveLength(1);
    unit.tracked(held).isMarkedDeleted = true;
    await unit.runner.query('SAVEPOINT before_flush');
    await expect(send()).rejects.toThrow(QueryFailedError);
    await unit.runner.query('ROLLBACK TO SAVEPOINT before_flush');
    await expect(unit.manager.remove(held)).rejects.toThrow(QueryFailedError);
    await unit.runner.query('ROLLBACK TO SAVEPOINT before_flush');
    expect(unit.tracked(held.holding[0]!).state).toBe('persistent');
  });
});
