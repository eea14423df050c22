import { ApiProperty } from '@nestjs/swagger';
import { Column, Entity, PrimaryGeneratedColumn, VersionColumn } from 'typeorm';

/** An account; money is counted in whole cents. */
@Entity()
export class Account {
  @ApiProperty()
  @PrimaryGeneratedColumn()
  id!: number;

  @ApiProperty()
  @Column({ length: 100 })
  owner!: string;

  @ApiProperty()
  @Column({ type: 'integer', default: 0 })
  cents!: number;

  @VersionColumn()
  version!: number;
}
