/** Server-sent events that hold no connection while nobody asks, and whose end comes once. */
import { Controller, type MessageEvent, Sse } from '@nestjs/common';
import { ScopedSession } from 'nestjs-scoped-session';
import { exhaustMap, interval, type Observable } from 'rxjs';

@Controller('events')
export class EventsController {
  constructor(private readonly session: ScopedSession) {}

  @Sse()
  async follow(): Promise<Observable<MessageEvent>> {
    await this.session.execute("INSERT INTO orders (item) VALUES ('a visit')");
    await this.session.commit(); // stored, whatever becomes of the stream
    return interval(20).pipe(
      // One look after the other: two would share the session, and end each other's transaction.
      exhaustMap(async () => {
        const count = await this.session.scalar<number>('SELECT COUNT(*) FROM orders');
        await this.session.commit(); // no connection is held until the next look
        return { data: { count } };
      }),
    );
  }
}
