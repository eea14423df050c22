/** Repositories, managers and query builders that were injected as ever, all in the transaction of the request. */
import { Controller, ForbiddenException, Post, Query } from '@nestjs/common';
import { InjectDataSource, InjectEntityManager, InjectRepository } from '@nestjs/typeorm';
import { DataSource, EntityManager, Repository } from 'typeorm';
import { Order } from './entities.js';

@Controller('ways')
export class WaysController {
  private readonly special;

  constructor(
    @InjectRepository(Order) private readonly orders: Repository<Order>,
    @InjectEntityManager() private readonly manager: EntityManager,
    @InjectDataSource() private readonly dataSource: DataSource,
  ) {
    this.special = orders.extend({
      addSpecial(item: string) {
        return this.insert({ item });
      },
    });
  }

  @Post()
  async write(@Query('then') then?: string): Promise<void> {
    await this.orders.insert({ item: 'a repository' });
    await this.special.addSpecial('a custom repository');
    await this.manager.save(Order, { item: 'the entity manager' });
    await this.dataSource
      .createQueryBuilder()
      .insert()
      .into(Order)
      .values({ item: 'a query builder' })
      .execute();
    await this.dataSource.transaction((inner) => inner.insert(Order, { item: 'dataSource.transaction()' }));
    await this.dataSource.query("INSERT INTO orders (item) VALUES ('dataSource.query()')");
    if (then === 'throw') throw new ForbiddenException(); // none of the six is stored
  }
}
