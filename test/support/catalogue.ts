/** Entities of every kind that a flush treats in a way of its own. */
import {
  ChildEntity,
  Column,
  CreateDateColumn,
  Entity,
  JoinColumn,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  TableInheritance,
  Tree,
  TreeChildren,
  TreeParent,
  UpdateDateColumn,
  VersionColumn,
} from 'typeorm';
import { Account } from './catalogue-account.js';
import { Author, Draft, Post, Remark, Tag } from './catalogue-posts.js';

export { Account, AccountSubscriber } from './catalogue-account.js';
export { Author, Draft, Post, Remark, Tag } from './catalogue-posts.js';

const text = { type: 'varchar', length: 50 } as const;

export class Size {
  @Column({ type: 'int' })
  width!: number;

  @Column({ type: 'int' })
  height!: number;
}

@Entity()
export class Item {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column(text)
  name!: string;

  @Column({ type: 'int', default: 7 })
  stock!: number;

  /** Euros in the program, cents in the database. */
  @Column({
    type: 'int',
    default: 0,
    transformer: {
      from: (cents: number) => cents / 100,
      to: (euros?: number) => euros && Math.round(euros * 100),
    },
  })
  price!: number;

  @Column({ type: 'simple-json', nullable: true })
  settings!: Record<string, unknown> | null;

  @Column({ type: Date, nullable: true })
  soldAt!: Date | null;

  @Column(() => Size)
  size!: Size;

  @VersionColumn()
  version!: number;

  @CreateDateColumn()
  createdAt!: Date;

  @UpdateDateColumn()
  updatedAt!: Date;
}

/** Neither version nor dates. */
@Entity()
export class Row {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column(text)
  name!: string;

  @Column({ type: 'int' })
  amount!: number;
}

@Entity()
export class Country {
  @PrimaryColumn(text)
  code!: string;

  @Column(text)
  name!: string;

  @Column({ ...text, nullable: true })
  capital!: string | null;
}

@Entity()
export class City {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column(text)
  name!: string;

  @ManyToOne(() => Country, { cascade: ['insert'] })
  country!: Country;
}

@Entity()
export class Seat {
  @PrimaryColumn({ type: 'int' })
  line!: number;

  @PrimaryColumn({ type: 'int' })
  place!: number;

  @Column(text)
  guest!: string;
}

@Entity()
export class Folder {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column(text)
  name!: string;

  @ManyToOne(() => Folder, { nullable: true })
  parent!: Folder | null;
}

@Entity()
@Tree('closure-table')
export class Branch {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column(text)
  name!: string;

  @TreeChildren()
  children!: Branch[];

  @TreeParent()
  parent!: Branch | null;
}

@Entity()
@TableInheritance({ column: { type: 'varchar', name: 'kind' } })
export class Person {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column(text)
  name!: string;
}

@ChildEntity()
export class Employee extends Person {
  @Column({ type: 'int' })
  salary!: number;
}

/** Its key can be made by whoever makes it. */
@Entity()
export class Token {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @Column(text)
  name!: string;
}

/** Its books are not loaded before somebody asks. */
@Entity()
export class Shelf {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column(text)
  name!: string;

  @OneToMany(() => Book, (book) => book.shelf, { cascade: ['insert'] })
  books!: Promise<Book[]>;
}

@Entity()
export class Book {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column(text)
  title!: string;

  @Column({ type: 'int', nullable: true })
  shelfId!: number | null;

  @ManyToOne(() => Shelf, (shelf) => shelf.books, { cascade: ['insert'] })
  @JoinColumn({ name: 'shelfId' })
  shelf!: Promise<Shelf | null>;
}

export const CATALOGUE = [
  Author,
  Tag,
  Post,
  Remark,
  Draft,
  Item,
  Row,
  Country,
  City,
  Seat,
  Folder,
  Branch,
  Person,
  Employee,
  Token,
  Shelf,
  Book,
  Account,
];
