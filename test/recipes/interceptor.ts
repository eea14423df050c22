/** A pipe and an interceptor that read and write in the transaction of the handler they stand around. */
import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  NotFoundException,
  type PipeTransform,
} from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { concatMap, from, type Observable } from 'rxjs';
import { Repository } from 'typeorm';
import { Order, Stock } from './entities.js';

@Injectable()
export class KnownItemPipe implements PipeTransform<string, Promise<string>> {
  constructor(@InjectRepository(Stock) private readonly stock: Repository<Stock>) {}

  async transform(item: string): Promise<string> {
    if (await this.stock.existsBy({ item })) return item;
    throw new NotFoundException(`There is no ${item}.`);
  }
}

@Injectable()
export class JournalInterceptor implements NestInterceptor {
  constructor(@InjectRepository(Order) private readonly orders: Repository<Order>) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const note = (item: string) =>
      this.orders.insert({ item: `${context.getHandler().name} ${item}`, state: 'journal' });
    return from(note('begins')).pipe(
      concatMap(() => next.handle()),
      concatMap(async (answer) => {
        await note('ends');
        return answer as unknown;
      }),
    );
  }
}
