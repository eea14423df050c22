/** Entities of every kind that a flush treats in a way of its own. */
import {
  AfterInsert,
  BeforeInsert,
  BeforeUpdate,
  ChildEntity,
  Column,
  CreateDateColumn,
  DeleteDateColumn,
  Entity,
  type EntitySubscriberInterface,
  EventSubscriber,
  JoinColumn,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  type RemoveEvent,
  TableInheritance,
  Tree,
  TreeChildren,
  TreeParent,
  UpdateDateColumn,
  type UpdateEvent,
  VersionColumn,
} from 'typeorm';

const text = { type: 'varchar', length: 50 } as const;

@Entity()
export class Author {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column(text)
  name!: string;

  @Column({ ...text, nullable: true, unique: true })
  nick!: string | null;

  @OneToMany(() => Post, (post) => post.author, { cascade: ['insert', 'update'] })
  posts!: Post[];
}

@Entity()
export class Tag {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column(text)
  label!: string;

  /** Without a cascade. */
  @OneToMany(() => Post, (post) => post.mainTag)
  leads!: Post[];

  @ManyToMany(() => Post, (post) => post.tags)
  posts!: Post[];
}

@Entity()
export class Post {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column(text)
  title!: string;

  @Column({ ...text, nullable: true })
  body!: string | null;

  @ManyToOne(() => Author, (author) => author.posts, { cascade: ['insert'], nullable: true })
  author!: Author | null;

  @ManyToOne(() => Tag, (tag) => tag.leads, { nullable: true })
  mainTag!: Tag | null;

  @ManyToMany(() => Tag, (tag) => tag.posts, { cascade: ['insert'] })
  @JoinTable({ name: 'post_tag' })
  tags!: Tag[];

  @OneToMany(() => Remark, (remark) => remark.post, { cascade: ['insert', 'remove'] })
  remarks!: Remark[];

  @OneToMany(() => Draft, (draft) => draft.post, { cascade: ['insert'] })
  drafts!: Draft[];
}

/** Goes when it is taken out of its post. */
@Entity()
export class Remark {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column(text)
  text!: string;

  @ManyToOne(() => Post, (post) => post.remarks, { nullable: false, orphanedRowAction: 'delete' })
  post!: Post;
}

/** Is marked when it is taken out of its post. */
@Entity()
export class Draft {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'int' })
  postId!: number;

  @ManyToOne(() => Post, (post) => post.drafts, { orphanedRowAction: 'soft-delete' })
  @JoinColumn({ name: 'postId' })
  post!: Post;

  @DeleteDateColumn()
  deletedAt!: Date | null;
}

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

/** Has listeners, and a subscriber. */
@Entity()
export class Account {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column(text)
  owner!: string;

  @Column({ type: 'int' })
  balance!: number;

  @Column({ ...text, nullable: true })
  note!: string | null;

  @VersionColumn()
  version!: number;

  heard: string[] = [];

  @BeforeInsert()
  beforeInsert(): void {
    this.heard.push('before insert');
    this.note = 'new';
  }

  @AfterInsert()
  afterInsert(): void {
    this.heard.push(`after insert ${typeof this.id}`);
  }

  @BeforeUpdate()
  beforeUpdate(): void {
    this.heard.push('before update');
    this.note = 'changed';
  }
}

@EventSubscriber()
export class AccountSubscriber implements EntitySubscriberInterface<Account> {
  readonly events: string[] = [];

  listenTo(): typeof Account {
    return Account;
  }

  afterUpdate({ updatedColumns }: UpdateEvent<Account>): void {
    this.events.push(`updated ${updatedColumns.map(({ propertyName }) => propertyName).join(', ')}`);
  }

  beforeRemove({ databaseEntity }: RemoveEvent<Account>): void {
    this.events.push(`removes ${databaseEntity?.owner}`);
  }
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
