/** Entities that have their foreign keys as properties too, beside the relations. */
import {
  BeforeUpdate,
  Column,
  Entity,
  JoinColumn,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
} from 'typeorm';

@Entity()
export class Team {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 20 })
  name!: string;

  @OneToMany(() => Player, (player) => player.team)
  players!: Player[];
}

@Entity()
export class Player {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'int', nullable: true })
  teamId!: number | null;

  @ManyToOne(() => Team, (team) => team.players, { orphanedRowAction: 'delete' })
  @JoinColumn({ name: 'teamId' })
  team!: Team | null;
}

/** Somebody is told before it is changed. */
@Entity()
export class Coach {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'int', nullable: true })
  teamId!: number | null;

  @ManyToOne(() => Team)
  @JoinColumn({ name: 'teamId' })
  team!: Team | null;

  told = 0;

  @BeforeUpdate()
  tell(): void {
    this.told += 1;
  }
}

/** Its key is that of its team. */
@Entity()
export class Ground {
  @PrimaryColumn({ type: 'int' })
  teamId!: number;

  @ManyToOne(() => Team)
  @JoinColumn({ name: 'teamId' })
  team!: Team;

  @Column({ type: 'varchar', length: 20 })
  name!: string;
}

/** Its key is its team, and a number. */
@Entity()
export class Shirt {
  @PrimaryColumn({ type: 'int', name: 'teamId' })
  @ManyToOne(() => Team)
  @JoinColumn({ name: 'teamId' })
  team!: Team;

  @PrimaryColumn({ type: 'int' })
  place!: number;

  @Column({ type: 'varchar', length: 20 })
  name!: string;
}
