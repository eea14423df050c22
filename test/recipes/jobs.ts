/** Jobs of a queue, each attempt of which has a session of its own; and a request that puts one into it. */
import { InjectQueue, OnWorkerEvent, Processor, WorkerHost } from '@nestjs/bullmq';
import { Controller, Injectable, Post, Query } from '@nestjs/common';
import type { Job, Queue } from 'bullmq';
import { BackgroundTasks, ScopedSession, SessionScope } from 'nestjs-scoped-session';

/** A singleton. Its session is that of the job, which is committed before the queue is told that it is done. */
@Injectable()
@Processor('parcels')
export class ParcelProcessor extends WorkerHost {
  constructor(private readonly session: ScopedSession) {
    super();
  }

  @SessionScope({ timeoutMs: 30_000 })
  override async process(job: Job<{ item: string }>): Promise<void> {
    const { item } = job.data;
    await this.session.execute('INSERT INTO orders (item, state) VALUES (:item, :state)', {
      item,
      state: 'packed',
    });
    if (item === 'glass' && job.attemptsMade === 0) throw new Error('It broke.'); // the next attempt begins anew
  }

  /** An event of the queue has one of its own as well. */
  @OnWorkerEvent('failed')
  @SessionScope()
  async failed(job: Job<{ item: string }>): Promise<void> {
    const { item } = job.data;
    await this.session.execute("INSERT INTO orders (item, state) VALUES (:item, 'broken')", { item });
  }
}

@Controller('parcels')
export class ParcelsController {
  constructor(
    @InjectQueue('parcels') private readonly queue: Queue,
    private readonly tasks: BackgroundTasks,
  ) {}

  @Post()
  send(@Query('item') item: string): string {
    // Not before the COMMIT: the worker would look for rows that are not there yet.
    this.tasks.afterCommit(() => this.queue.add('parcel', { item }, { attempts: 2 }));
    return 'on its way';
  }
}
