/** Entities with relations of every kind that a flush treats in a way of its own: posts, and what belongs to them. */
import {
  Column,
  DeleteDateColumn,
  Entity,
  JoinColumn,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryGeneratedColumn,
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
