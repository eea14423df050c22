/** A gateway whose messages are units of work, with singletons and REQUEST-scoped providers alike. */
import { Injectable } from '@nestjs/common';
import {
  ConnectedSocket,
  MessageBody,
  SubscribeMessage,
  WebSocketGateway,
  WsException,
} from '@nestjs/websockets';
import { ScopedSession } from 'nestjs-scoped-session';

@Injectable()
export class Orders {
  constructor(private readonly session: ScopedSession) {}

  async place(item: string): Promise<void> {
    await this.session.execute('INSERT INTO orders (item) VALUES (:item)', { item });
  }
}

@WebSocketGateway()
export class OrdersGateway {
  /** What belongs to the connection, which lives longer than a message, is kept by its socket. */
  private readonly counts = new WeakMap<object, number>();

  constructor(private readonly orders: Orders) {}

  @SubscribeMessage('order')
  async order(
    @ConnectedSocket() socket: object,
    @MessageBody() item: string,
  ): Promise<{ event: string; data: number }> {
    await this.orders.place(item);
    if (item === 'nothing') throw new WsException('There is nothing to order.');
    const count = (this.counts.get(socket) ?? 0) + 1;
    this.counts.set(socket, count);
    return { event: 'ordered', data: count }; // leaves after the COMMIT
  }
}
