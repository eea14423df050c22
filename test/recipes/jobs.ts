/** Jobs of a queue, each of which has a session of its own. */
import { Injectable } from '@nestjs/common';
import { ScopedSession } from 'nestjs-scoped-session';

@Injectable()
export class Processor {
  constructor(private readonly session: ScopedSession) {}

  /** Called by the queue, outside of every request; the job fails when this fails, and is stored when it resolves. */
  process(job: { id: string; data: { item: string } }): Promise<void> {
    return this.session.run(() => this.place(job.data.item), {
      label: `job ${job.id}`, // what errors and warnings call it
      retry: { times: 2 },
      timeoutMs: 30_000,
    });
  }

  private async place(item: string): Promise<void> {
    await this.session.execute('INSERT INTO orders (item) VALUES (:item)', { item });
    if (item === 'nothing') throw new Error('There is nothing to order.');
  }
}
