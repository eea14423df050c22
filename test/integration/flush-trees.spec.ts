/** Trees that TypeORM's tree repository put together, and relations that were not loaded: the row told where they lead. */
import {
  Column,
  Entity,
  ManyToOne,
  PrimaryGeneratedColumn,
  Tree,
  TreeChildren,
  TreeParent,
  VersionColumn,
} from 'typeorm';
import { expect, it } from 'vitest';
import { flush, TrackedObject } from '../../src/unit-of-work/index.js';
import { StaleDataError } from 'nestjs-scoped-session';
import { KINDS, onEach } from '../support/databases.js';
import { make } from '../support/flushing.js';
import { useUnitOfWork } from '../support/unit-of-work.js';

abstract class Node {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 20 })
  name!: string;

  @VersionColumn()
  version!: number;

  abstract parent: Node | null;
  abstract children: Node[];
}

@Entity()
@Tree('closure-table')
class Closure extends Node {
  @TreeParent()
  parent!: Closure | null;

  @TreeChildren()
  children!: Closure[];
}

@Entity()
@Tree('nested-set')
class Nested extends Node {
  @TreeParent()
  parent!: Nested | null;

  @TreeChildren()
  children!: Nested[];
}

@Entity()
@Tree('materialized-path')
class Path extends Node {
  @TreeParent()
  parent!: Path | null;

  @TreeChildren()
  children!: Path[];
}

/** Refers to its own table, and is no tree. */
@Entity()
class Part {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 20 })
  name!: string;

  @ManyToOne(() => Part, { nullable: true })
  whole!: Part | null;
}

const TREES = [Closure, Nested, Path];

onEach(KINDS, (database) => {
  const unit = useUnitOfWork(database, {
    entities: [...TREES, Part],
    store: async (manager) => {
      for (const type of TREES) {
        const root = await manager.save(make<Node>(type, { name: 'root' }));
        const limb = await manager.save(make<Node>(type, { name: 'limb', parent: root }));
        await manager.save(make<Node>(type, { name: 'leaf', parent: limb }));
        await manager.save(make<Node>(type, { name: 'other', parent: root }));
      }
      const whole = await manager.save(make(Part, { name: 'whole' }));
      await manager.save(make(Part, { name: 'part', whole }));
    },
  });
  const send = async (): Promise<string[]> => {
    unit.sent();
    await flush(unit.map, unit.runner);
    return unit.sent();
  };
  const named = (nodes: readonly Node[], name: string): Node => nodes.find((node) => node.name === name)!;

  for (const type of TREES) {
    const trees = () => unit.manager.getTreeRepository<Node>(type);
    const parentOf = async (name: string): Promise<string | undefined> => {
      const [node] = await unit.dataSource
        .createQueryBuilder(unit.runner)
        .select('parent.name', 'name')
        .from(type, 'node')
        .leftJoin('node.parent', 'parent')
        .where('node.name = :name', { name })
        .getRawMany<{ name: string | null }>();
      return node!.name ?? undefined;
    };

    it(`${type.name}: what was loaded as a tree is no change`, async () => {
      const [root] = await trees().findTrees();
      expect(root!.children.map(({ name }) => name).toSorted()).toEqual(['limb', 'other']);
      expect(await send()).toEqual([]);
      await trees().findAncestorsTree(named(root!.children, 'limb').children[0]!);
      expect(await send()).toEqual([]);
    });

    it(`${type.name}: a name that was changed in a tree is one UPDATE, and the version is counted`, async () => {
      const [root] = await trees().findTrees();
      const leaf = named(root!.children, 'limb').children[0]!;
      const { version } = leaf;
      leaf.name = 'blade';
      const updates = (await send()).filter((sql) => sql.startsWith('UPDATE'));
      expect(updates).toEqual([expect.stringMatching(/^UPDATE .\w+. SET .name. = /)]);
      expect(leaf.version).toBe(version + 1);
      expect(await send()).toEqual([]);
    });

    it(`${type.name}: who was moved to other children has another parent, and another path`, async () => {
      const [root] = await trees().findTrees();
      const [limb, other] = ['limb', 'other'].map((name) => named(root!.children, name));
      other!.children.push(...limb!.children.splice(0));
      await send();
      expect(await parentOf('leaf')).toBe('other');
      expect(await send()).toEqual([]);
      expect((await trees().findDescendants(other!)).map(({ name }) => name).toSorted()).toEqual([
        'leaf',
        'other',
      ]);
      expect((await trees().findDescendants(limb!)).map(({ name }) => name)).toEqual(['limb']);
      expect((await trees().findDescendants(root!)).map(({ name }) => name)).toHaveLength(4);
    });

    it(`${type.name}: the version of a new row is known, so that it can be changed`, async () => {
      const [root] = await trees().findTrees();
      const bud = make<Node>(type, { name: 'bud', parent: root! });
      const { shape } = unit.tracked(root!);
      const tracked = new TrackedObject(bud, shape, undefined);
      tracked.state = 'pending';
      unit.map.add(tracked);
      await send();
      bud.name = 'twig';
      await send();
      expect(await parentOf('twig')).toBe('root');
      expect((await trees().findAncestors(bud)).map(({ name }) => name).toSorted()).toEqual(['root', 'twig']);
    });

    it(`${type.name}: TRX-36: a version that somebody else counted is stale, changed or deleted`, async () => {
      const [root] = await trees().findTrees();
      const leaf = named(root!.children, 'limb').children[0]!;
      const table = unit.dataSource.getMetadata(type).tableName;
      const before = leaf.version;
      await unit.runner.query(`UPDATE ${table} SET version = version + 1 WHERE name = 'leaf'`);
      leaf.name = 'changed';
      await expect(send()).rejects.toThrow(StaleDataError);
      expect(leaf.version).toBe(before);
      unit.tracked(leaf).isMarkedDeleted = true;
      await expect(send()).rejects.toThrow(/DELETE .* was to find 1 row\(s\) and found 0/);
    });
  }

  it('what is assigned to a relation that was not loaded is a change if it leads elsewhere', async () => {
    const parts = await unit.manager.find(Part, { order: { id: 'ASC' } });
    const [whole, part] = parts;
    part!.whole = whole!;
    expect(await send()).toEqual([]);
    part!.whole = null;
    expect(await send()).toEqual([expect.stringMatching(/^UPDATE/)]);
  });

  it('rows go before those to which they refer, though the relation was not loaded', async () => {
    for (const part of await unit.manager.find(Part)) unit.tracked(part).isMarkedDeleted = true;
    expect(await send()).toEqual([1, 2].map(() => expect.stringMatching(/^DELETE/) as string));
  });

  it('a refresh tells where a relation leads now', async () => {
    const [whole, part] = await unit.manager.find(Part, { order: { id: 'ASC' } });
    await unit.manager.createQueryBuilder().update(Part).set({ whole: null }).execute();
    await unit.query(Part, 'part').populateExisting().getMany();
    part!.whole = whole!;
    expect(await send()).toEqual([expect.stringMatching(/^UPDATE/)]);
  });
});
