/** A number that must not wait for the order around it, with a transaction of its own. */
import { Injectable } from '@nestjs/common';
import { ScopedSession, Transactional } from 'nestjs-scoped-session';

@Injectable()
export class Numbers {
  constructor(private readonly session: ScopedSession) {}

  @Transactional()
  async order(item: string): Promise<void> {
    await this.session.execute('INSERT INTO orders (item) VALUES (:item)', { item });
    await this.next(item);
  }

  /** Another connection, while the one of the order is kept. */
  @Transactional({ propagation: 'REQUIRES_NEW' })
  async next(item: string): Promise<void> {
    await this.session.execute('UPDATE stock SET pieces = pieces + 1 WHERE item = :item', { item });
  }
}
