/** Entities that use most of what TypeORM can do, for tests of all its paths. */
import {
  BaseEntity,
  Column,
  DeleteDateColumn,
  Entity,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryGeneratedColumn,
  Tree,
  TreeChildren,
  TreeParent,
} from 'typeorm';

@Entity()
export class Author {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 50, unique: true })
  name!: string;

  @Column({ type: 'integer', default: 0 })
  likes!: number;

  @OneToMany(() => Post, (post) => post.author, { cascade: true })
  posts!: Post[];
}

@Entity()
export class Post {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 50 })
  title!: string;

  @ManyToOne(() => Author, (author) => author.posts)
  author!: Author;

  @ManyToMany(() => Tag)
  @JoinTable()
  tags!: Tag[];

  @OneToMany(() => Comment, (comment) => comment.post)
  comments!: Promise<Comment[]>;

  @DeleteDateColumn()
  deletedAt!: Date | null;
}

@Entity()
export class Tag {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 50 })
  name!: string;
}

@Entity()
export class Comment {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 50 })
  text!: string;

  @ManyToOne(() => Post, (post) => post.comments)
  post!: Promise<Post>;
}

@Entity()
@Tree('closure-table')
export class Category {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 50 })
  name!: string;

  @TreeParent()
  parent!: Category | null;

  @TreeChildren({ cascade: true })
  children!: Category[];
}

@Entity()
export class Setting extends BaseEntity {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 50 })
  name!: string;
}

export const LIBRARY = [Author, Post, Tag, Comment, Category, Setting];
