/** Tracked objects for tests that need no rows: real metadata, and whatever graph the test makes. */
import 'reflect-metadata';
import {
  Column,
  DataSource,
  Entity,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryGeneratedColumn,
} from 'typeorm';
import { afterAll, beforeAll } from 'vitest';
import { IdentityMap, shapeOf, TrackedObject } from '../../src/unit-of-work/index.js';

/** Embedded in an author; it has a relation of its own. */
export class Fame {
  @Column({ type: 'int' })
  prizes!: number;

  @ManyToOne(() => Post)
  best?: Post | null;
}

@Entity()
export class Author {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar' })
  name!: string;

  @Column({ type: 'simple-json', nullable: true })
  extra?: object;

  @Column(() => Fame)
  fame?: Fame;

  @OneToMany(() => Post, (post) => post.author)
  posts?: Post[];
}

@Entity()
export class Post {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar' })
  title!: string;

  @ManyToOne(() => Author, (author) => author.posts)
  author?: Author | null;

  @ManyToMany(() => Tag, (tag) => tag.posts)
  @JoinTable()
  tags?: Tag[];

  get loud(): string {
    return `${this.title}!`;
  }
}

@Entity()
export class Tag {
  @PrimaryGeneratedColumn()
  id!: number;

  @ManyToMany(() => Post, (post) => post.tags)
  posts?: Post[];
}

export interface Tracking {
  /** Makes an object of the class with these values, and tracks it. */
  make<Entity extends object>(type: new () => Entity, values: Partial<Entity>): Entity;
  of(entity: object): TrackedObject;
}

export function useTracking(): Tracking {
  const dataSource = new DataSource({ type: 'sqljs', entities: [Author, Post, Tag] });
  const map = new IdentityMap();
  beforeAll(() => dataSource.initialize());
  afterAll(() => dataSource.destroy());
  return {
    make: (type, values) => {
      const entity = Object.assign(new type(), values);
      map.add(new TrackedObject(entity, shapeOf(dataSource.getMetadata(type)), undefined));
      return entity;
    },
    of: (entity) => map.of(entity)!,
  };
}

/** An author and as many posts of theirs, which lead back. */
export function writing({ make }: Tracking, count: number): { author: Author; posts: Post[] } {
  const author = make(Author, { id: 1, name: 'ann' });
  const posts = Array.from({ length: count }, (_, index) =>
    make(Post, { id: index + 1, title: `post ${index + 1}`, author }),
  );
  author.posts = posts;
  return { author, posts };
}
