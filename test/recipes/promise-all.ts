/** Statements that run beside each other, and one that nobody awaits, in one transaction. */
import { Controller, Post, Query } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { Order } from './entities.js';

@Controller('batch')
export class BatchController {
  constructor(@InjectRepository(Order) private readonly orders: Repository<Order>) {}

  @Post()
  async store(@Query('items') items: string): Promise<void> {
    await Promise.all(items.split(',').map((item) => this.storeOne(item)));
  }

  @Post('forgotten')
  forget(@Query('item') item: string): string {
    void this.storeOne(item); // no await: the COMMIT waits for it, and fails when it fails
    return 'done';
  }

  private async storeOne(item: string): Promise<void> {
    await this.orders.insert({ item });
    if (item === 'bad') throw new Error('One of them is bad.');
    await this.orders.update({ item }, { state: 'checked' });
  }
}
