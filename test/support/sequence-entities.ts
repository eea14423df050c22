/** The classes that random sequences work on: every kind of column, key and relation that a flush treats in its own way. */
import {
  Column,
  Entity,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  VersionColumn,
} from 'typeorm';

@Entity('seq_author')
export class SeqAuthor {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 20 })
  name!: string;

  @Column({ type: 'varchar', length: 20, nullable: true, unique: true })
  nick!: string | null;

  @VersionColumn()
  version!: number;

  @OneToMany(() => SeqPost, (post) => post.author, { cascade: true })
  posts!: SeqPost[];
}

@Entity('seq_post')
export class SeqPost {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 20 })
  title!: string;

  @Column({ type: 'varchar', length: 20, nullable: true })
  note!: string | null;

  @ManyToOne(() => SeqAuthor, (author) => author.posts, { nullable: false, onDelete: 'CASCADE' })
  author!: SeqAuthor | null;

  @ManyToOne(() => SeqAuthor, { onDelete: 'SET NULL' })
  editor!: SeqAuthor | null;

  @OneToMany(() => SeqRemark, (remark) => remark.post, { cascade: true })
  remarks!: SeqRemark[];

  @ManyToMany(() => SeqTag, { cascade: ['insert'] })
  @JoinTable({ name: 'seq_post_tag', joinColumn: { name: 'post' }, inverseJoinColumn: { name: 'tag' } })
  tags!: SeqTag[];
}

@Entity('seq_remark')
export class SeqRemark {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 20 })
  text!: string;

  @ManyToOne(() => SeqPost, (post) => post.remarks, { onDelete: 'SET NULL' })
  post!: SeqPost | null;
}

/** Its key is given by hand, and can be changed. */
@Entity('seq_tag')
export class SeqTag {
  @PrimaryColumn({ type: 'varchar', length: 20 })
  code!: string;

  @Column({ type: 'varchar', length: 20 })
  label!: string;
}

export const KINDS_OF_THINGS = ['author', 'post', 'remark', 'tag'] as const;
export type KindOfThing = (typeof KINDS_OF_THINGS)[number];

export const CLASSES = { author: SeqAuthor, post: SeqPost, remark: SeqRemark, tag: SeqTag } as const;

interface List {
  readonly of: KindOfThing;
  /** The member's relation that leads back; left out, the pairs have a table of their own. */
  readonly by?: string;
  /** What becomes of a member that is taken out. */
  readonly orphan?: 'deleted' | 'cut off';
}

/** The same in plain words, for the model. */
export interface Shape {
  readonly key: string;
  readonly columns: readonly string[];
  /** Relations whose key is in the row. */
  readonly ends: Readonly<Record<string, { to: KindOfThing; onDelete: 'cascade' | 'set null' }>>;
  readonly lists: Readonly<Record<string, List>>;
}

export const SHAPES: Readonly<Record<KindOfThing, Shape>> = {
  author: {
    key: 'id',
    columns: ['name', 'nick', 'version'],
    ends: {},
    lists: { posts: { of: 'post', by: 'author', orphan: 'deleted' } },
  },
  post: {
    key: 'id',
    columns: ['title', 'note'],
    ends: { author: { to: 'author', onDelete: 'cascade' }, editor: { to: 'author', onDelete: 'set null' } },
    lists: { remarks: { of: 'remark', by: 'post', orphan: 'cut off' }, tags: { of: 'tag' } },
  },
  remark: {
    key: 'id',
    columns: ['text'],
    ends: { post: { to: 'post', onDelete: 'set null' } },
    lists: {},
  },
  tag: { key: 'code', columns: ['label'], ends: {}, lists: {} },
};
