/** One small table for tests that only need a row. */
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

@Entity()
export class Note {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 100, unique: true })
  text!: string;
}

export const note = (text: string): Note => Object.assign(new Note(), { text });
