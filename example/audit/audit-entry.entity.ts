import { ApiProperty } from '@nestjs/swagger';
import { Column, CreateDateColumn, Entity, PrimaryGeneratedColumn } from 'typeorm';

/** What was done, or tried. */
@Entity()
export class AuditEntry {
  @ApiProperty()
  @PrimaryGeneratedColumn()
  id!: number;

  @ApiProperty()
  @Column({ length: 200 })
  text!: string;

  @ApiProperty()
  @CreateDateColumn()
  at!: Date;
}
