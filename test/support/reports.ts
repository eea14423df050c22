/** Classes of two databases: notes in the one, reports and what extends them in the other. */
import { BindKey } from 'nestjs-scoped-session';
import { Column, Entity, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';

@Entity()
export class Report {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 100, unique: true })
  title!: string;
}

/** Both databases know it; its key says which is meant. */
@BindKey('reporting')
@Entity()
export class Audited {
  @PrimaryColumn()
  id!: number;

  @Column({ type: 'varchar', length: 100 })
  text!: string;
}

/** Belongs where its parent does. */
@Entity()
export class AuditedTwice extends Audited {}

@BindKey('nope')
@Entity()
export class Nowhere {
  @PrimaryColumn()
  id!: number;
}

export const report = (title: string): Report => Object.assign(new Report(), { title });
