/** One injected repository that works in another transaction in each execution. */
import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { ScopedSession } from 'nestjs-scoped-session';
import { Repository } from 'typeorm';
import { Order } from './entities.js';

@Injectable()
export class Imports {
  constructor(
    @InjectRepository(Order) private readonly orders: Repository<Order>,
    private readonly session: ScopedSession,
  ) {}

  /** Each file is an execution with a transaction of its own: a bad one leaves nothing, the others are stored. */
  importAll(files: readonly string[][]): Promise<PromiseSettledResult<void>[]> {
    return Promise.allSettled(files.map((items) => this.session.run(() => this.importOne(items))));
  }

  private async importOne(items: readonly string[]): Promise<void> {
    for (const item of items) {
      if (item === '') throw new Error('A line without an item.');
      await this.orders.insert({ item });
    }
  }
}
