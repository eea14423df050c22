/** A request that stores an order and takes it from the stock, or does neither. */
import { Body, ConflictException, Controller, Injectable, Post } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { ScopedSession } from 'nestjs-scoped-session';
import { Repository } from 'typeorm';
import { Order } from './entities.js';

@Injectable()
export class Warehouse {
  constructor(private readonly session: ScopedSession) {}

  async take(item: string): Promise<void> {
    const sql = 'UPDATE stock SET pieces = pieces - 1 WHERE item = :item AND pieces > 0';
    const { affectedRows } = await this.session.execute(sql, { item });
    if (affectedRows === 0) throw new ConflictException(`${item} is sold out.`);
  }
}

@Controller('orders')
export class OrdersController {
  constructor(
    @InjectRepository(Order) private readonly orders: Repository<Order>,
    private readonly warehouse: Warehouse,
  ) {}

  @Post()
  async place(@Body() { item }: { item: string }): Promise<Order> {
    const order = await this.orders.save(this.orders.create({ item }));
    await this.warehouse.take(item); // throws: the order is not stored either
    return order;
  }
}
