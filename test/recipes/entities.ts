/** The tables that the recipes of docs/recipes.md work with. */
import { Column, Entity, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';

@Entity('orders')
export class Order {
  @PrimaryGeneratedColumn() id!: number;
  @Column() item!: string;
  @Column({ default: 'new' }) state!: string;
}

@Entity('stock')
export class Stock {
  @PrimaryColumn() item!: string;
  @Column() pieces!: number;
}
