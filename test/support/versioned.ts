/** Rows with a version: whoever changes one that somebody else has changed since is told. */
import { Column, Entity, PrimaryColumn, PrimaryGeneratedColumn, VersionColumn } from 'typeorm';

@Entity()
export class Ticket {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 50 })
  title!: string;

  @VersionColumn()
  version!: number;
}

/** Named by two columns. */
@Entity()
export class Seat {
  @PrimaryColumn({ type: 'int' })
  row!: number;

  @PrimaryColumn({ type: 'int' })
  place!: number;

  @Column({ type: 'varchar', length: 50 })
  guest!: string;
}
