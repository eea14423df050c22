import { ApiProperty } from '@nestjs/swagger';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

/** One half of a transfer: the two halves of each add up to nothing. */
@Entity()
export class Entry {
  @ApiProperty()
  @PrimaryGeneratedColumn()
  id!: number;

  @ApiProperty()
  @Column({ length: 36 })
  transfer!: string;

  @ApiProperty()
  @Column({ type: 'integer' })
  account!: number;

  @ApiProperty()
  @Column({ type: 'integer' })
  cents!: number;
}
