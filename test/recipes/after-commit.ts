/** A mail that is sent when the order is stored, and only then. */
import { Injectable } from '@nestjs/common';
import { ScopedSession } from 'nestjs-scoped-session';

@Injectable()
export class OrderMails {
  constructor(private readonly session: ScopedSession) {}

  async order(item: string, send: (text: string) => Promise<void>): Promise<void> {
    this.session.afterCommit(() => send(`Your order: ${item}`));
    this.session.afterRollback(() => send(`Sorry, no ${item}`));
    await this.session.execute('INSERT INTO orders (item) VALUES (:item)', { item });
  }
}
