/** Work with a transaction that nobody can forget to release. */
import { Controller, Post, Query } from '@nestjs/common';
import { ScopedSession } from 'nestjs-scoped-session';

@Controller('unreleased')
export class NoRunnerController {
  constructor(private readonly session: ScopedSession) {}

  /** No connect(), no startTransaction(), no try, no finally, no release(). */
  @Post()
  async store(@Query('item') item: string): Promise<void> {
    const { manager, queryRunner } = this.session; // where code wants TypeORM's own objects
    await queryRunner.query("INSERT INTO orders (item) VALUES ('a visit')");
    await manager.query(`UPDATE orders SET state = 'seen' WHERE item = 'a visit'`);
    if (item === 'nothing') throw new Error('There is nothing to order.');
  }
}
