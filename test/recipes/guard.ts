/** A guard, and what a passport strategy would do, as singletons that use the session of the request. */
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { ScopedSession } from 'nestjs-scoped-session';
import { Stock } from './entities.js';

export interface WithStock {
  query: { item: string };
  stock?: Stock | null;
}

@Injectable()
export class ItemStrategy {
  constructor(private readonly session: ScopedSession) {}

  /** As `validate()` of a passport strategy: a singleton, which Passport keeps. */
  validate(item: string): Promise<Stock | null> {
    return this.session.get(Stock, item);
  }
}

@Injectable()
export class ItemGuard implements CanActivate {
  constructor(private readonly strategy: ItemStrategy) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<WithStock>();
    request.stock = await this.strategy.validate(request.query.item);
    return request.stock !== null; // what the handler changes of it is stored with the handler's work
  }
}
