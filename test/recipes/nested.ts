/** A part that may fail without taking the rest with it, and that is lost with the rest. */
import { Injectable } from '@nestjs/common';
import { ScopedSession, Transactional } from 'nestjs-scoped-session';

@Injectable()
export class Checkout {
  constructor(private readonly session: ScopedSession) {}

  @Transactional()
  async order(item: string, coupon: string): Promise<void> {
    await this.add(item);
    await this.redeem(coupon).catch(() => undefined); // the order stands without it
    if (item === 'nothing') throw new Error('There is nothing to order.'); // and takes the coupon with it
  }

  /** Behind a savepoint of the transaction around the call. */
  @Transactional({ propagation: 'NESTED' })
  async redeem(coupon: string): Promise<void> {
    await this.add(coupon);
    if (coupon === 'expired') throw new Error('This coupon has expired.');
  }

  private async add(item: string): Promise<void> {
    await this.session.execute('INSERT INTO orders (item) VALUES (:item)', { item });
  }
}
