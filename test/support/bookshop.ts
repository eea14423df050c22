/** Entities for tests of the identity map: books, who wrote them, and what is said of them. */
import {
  AfterLoad,
  Column,
  Entity,
  type EntityManager,
  EventSubscriber,
  type EntitySubscriberInterface,
  JoinColumn,
  JoinTable,
  type LoadEvent,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  RelationId,
  VersionColumn,
} from 'typeorm';

@Entity()
export class Writer {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 50 })
  name!: string;

  @Column({ type: 'varchar', length: 50, nullable: true })
  nick!: string | null;

  @Column({ type: 'varchar', length: 50, select: false })
  secret!: string;

  @VersionColumn()
  version!: number;

  @OneToMany(() => Book, (book) => book.writer)
  books!: Book[];

  /** How often it was loaded. */
  loads?: number;

  @AfterLoad()
  count(): void {
    this.loads = (this.loads ?? 0) + 1;
  }
}

@Entity()
export class Genre {
  @PrimaryColumn({ type: 'varchar', length: 20 })
  name!: string;

  @ManyToMany(() => Book, (book) => book.genres)
  books!: Book[];
}

@Entity()
export class Book {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 50 })
  title!: string;

  @Column({ type: 'simple-json', nullable: true })
  notes!: { pages: number } | null;

  @Column({ nullable: true })
  printed!: Date;

  @Column({ type: 'int', nullable: true })
  writerId!: number | null;

  @ManyToOne(() => Writer, (writer) => writer.books, { nullable: true })
  @JoinColumn({ name: 'writerId' })
  writer!: Writer | null;

  /** Its column is no property. */
  @ManyToOne(() => Writer, { nullable: true })
  editor!: Writer | null;

  @ManyToMany(() => Genre, (genre) => genre.books)
  @JoinTable()
  genres!: Genre[];

  @RelationId((book: Book) => book.genres)
  genreNames!: string[];
}

/** Its book comes with it. */
@Entity()
export class Review {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 50 })
  text!: string;

  @ManyToOne(() => Book, { eager: true })
  book!: Book;
}

/** Its book, and its other parts, are loaded when they are asked for. */
@Entity()
export class Chapter {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 50 })
  title!: string;

  @ManyToOne(() => Book)
  book!: Promise<Book>;

  @ManyToOne(() => Chapter, (chapter) => chapter.parts, { nullable: true })
  whole!: Promise<Chapter | null>;

  @OneToMany(() => Chapter, (chapter) => chapter.whole)
  parts!: Promise<Chapter[]>;
}

/** What was told of loading, in order. */
export const told: { entity: object; metadata: unknown; manager: unknown }[] = [];

@EventSubscriber()
export class LoadListener implements EntitySubscriberInterface<Book> {
  listenTo(): typeof Book {
    return Book;
  }

  afterLoad(entity: Book, event?: LoadEvent<Book>): void {
    told.push({ entity, metadata: event!.metadata, manager: event!.manager });
  }
}

export const bookshop = {
  entities: [Writer, Genre, Book, Review, Chapter],
  subscribers: [LoadListener],
  store: storeBooks,
};

/** Writers 1 and 2; books 1 to 3 of the first and 4 of the second; 5 of nobody. */
async function storeBooks(manager: EntityManager): Promise<void> {
  for (const name of ['ann', 'bob']) await manager.save(Writer, { name, nick: null, secret: `of ${name}` });
  for (const name of ['crime', 'dream']) await manager.save(Genre, { name });
  const genres = await manager.find(Genre, { order: { name: 'ASC' } });
  const printed = new Date('2020-02-02T00:00:00Z');
  for (const [index, writerId] of [1, 1, 1, 2, null].entries()) {
    await manager.save(Book, {
      title: `book ${index + 1}`,
      notes: { pages: 10 * (index + 1) },
      printed,
      writerId,
      editor: index === 0 ? { id: 2 } : null,
      genres: genres.slice(0, index % 3),
    });
  }
  await manager.save(Review, { text: 'good', book: { id: 1 } });
  await manager.save(Review, { text: 'better', book: { id: 1 } });
  const whole = await manager.save(manager.create(Chapter, { title: 'whole' }));
  await manager.createQueryBuilder().relation(Chapter, 'book').of(whole.id).set(1);
  for (const title of ['part 1', 'part 2']) {
    const part = await manager.save(manager.create(Chapter, { title }));
    await manager.createQueryBuilder().relation(Chapter, 'whole').of(part.id).set(whole.id);
  }
}
