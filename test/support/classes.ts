/** Entities whose classes and columns are not plain: inheritance, embedded objects, keys of several or odd parts, a tree, a view. */
import {
  ChildEntity,
  Column,
  Entity,
  type EntityManager,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  TableInheritance,
  Tree,
  TreeChildren,
  TreeParent,
  ViewColumn,
  ViewEntity,
  VirtualColumn,
} from 'typeorm';

@Entity()
@TableInheritance({ column: { type: 'varchar', length: 20, name: 'kind' } })
export class Vehicle {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 20 })
  name!: string;
}

@ChildEntity()
export class Car extends Vehicle {
  @Column({ type: 'int', nullable: true })
  doors!: number | null;
}

@ChildEntity()
export class Truck extends Vehicle {
  @Column({ type: 'int', nullable: true })
  load!: number | null;
}

@ChildEntity()
export class FireTruck extends Truck {
  @Column({ type: 'int', nullable: true })
  water!: number | null;
}

/** Each class that extends it has a table of its own. */
export abstract class Animal {
  @PrimaryColumn({ type: 'int' })
  id!: number;

  @Column({ type: 'varchar', length: 20 })
  name!: string;
}

@Entity()
export class Cat extends Animal {}

@Entity()
export class Dog extends Animal {}

export class FullName {
  @Column({ type: 'varchar', length: 20, nullable: true })
  first!: string | null;

  @Column({ type: 'varchar', length: 20, nullable: true })
  last!: string | null;
}

export class Code {
  constructor(readonly text: string) {}
}

const asText = {
  from: (text: string | null) => (text === null ? null : new Code(text)),
  to: (code: Code | null | undefined) => code?.text ?? code,
};

/** Named by three columns, one of them an object. */
@Entity()
export class Member {
  @PrimaryColumn({ type: 'int' })
  team!: number;

  @PrimaryColumn({ type: 'int' })
  place!: number;

  @PrimaryColumn({ type: 'varchar', length: 20, transformer: asText })
  code!: Code;

  @Column(() => FullName)
  name!: FullName;

  @Column({ type: 'varchar', length: 20, transformer: asText, nullable: true })
  other!: Code | null;
}

/** What its constructor gives it is not what is stored. */
@Entity()
export class Setting {
  @PrimaryColumn({ type: 'varchar', length: 20 })
  name!: string;

  @Column({ type: 'varchar', length: 20 })
  value = 'default';

  @Column({ type: 'int' })
  weight = 7;

  @VirtualColumn({ query: (alias) => `SELECT COUNT(*) FROM setting WHERE ${alias}.weight > 0` })
  count!: number | string;
}

@Entity()
@Tree('closure-table')
export class Folder {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 20 })
  name!: string;

  @TreeChildren()
  children!: Folder[];

  @TreeParent()
  parent!: Folder | null;
}

@ViewEntity({ expression: 'SELECT id AS id, name AS name FROM cat' })
export class CatName {
  /** Even a view can say what names its rows. */
  @PrimaryColumn({ type: 'int' })
  id!: number;

  @ViewColumn()
  name!: string;
}

export const classes = {
  entities: [Vehicle, Car, Truck, FireTruck, Cat, Dog, Member, Setting, Folder, CatName],
  store: storeAll,
};

async function storeAll(manager: EntityManager): Promise<void> {
  await manager.save(manager.create(Car, { name: 'car', doors: 4 }));
  await manager.save(manager.create(Truck, { name: 'truck', load: 40 }));
  await manager.save(manager.create(FireTruck, { name: 'fire', load: 10, water: 5 }));
  await manager.save(Cat, { id: 1, name: 'cat' });
  await manager.save(Dog, { id: 1, name: 'dog' });
  for (const code of ['a', 'b'])
    await manager.insert(Member, {
      team: 1,
      place: 2,
      code: new Code(code),
      name: { first: `first ${code}`, last: null },
      other: new Code(`other ${code}`),
    });
  await manager.insert(Member, {
    team: 12,
    place: 1,
    code: new Code('a'),
    name: { first: null, last: null },
  });
  await manager.insert(Setting, { name: 'one', value: 'stored', weight: 1 });
  const root = await manager.save(manager.create(Folder, { name: 'root' }));
  const branch = await manager.save(manager.create(Folder, { name: 'branch', parent: root }));
  await manager.save(manager.create(Folder, { name: 'leaf', parent: branch }));
}
