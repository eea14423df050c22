/** A REQUEST-scoped provider whose session is that of the running request, whoever holds the provider. */
import { Injectable, Scope } from '@nestjs/common';
import { InjectSession, Session } from 'nestjs-scoped-session';

@Injectable({ scope: Scope.REQUEST })
export class Basket {
  constructor(@InjectSession() private readonly session: Session) {}

  async add(item: string): Promise<void> {
    await this.session.execute('INSERT INTO orders (item) VALUES (:item)', { item });
  }
}
