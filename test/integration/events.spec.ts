/** `@OnEvent` of @nestjs/event-emitter: listeners take part in the request that emits, or have a unit of work of their own. */
import { Controller, Injectable, Param, Post } from '@nestjs/common';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import {
  BackgroundTasks,
  NoActiveScopeError,
  ScopedSession,
  ScopedSessionModule,
  SessionClosedError,
  SessionScope,
} from 'nestjs-scoped-session';
import { DataSource, Repository } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { serve, type Served, withNotes } from '../support/boot.js';
import { onEach } from '../support/databases.js';
import { Note } from '../support/note.js';
import { signal, waitUntil } from '../support/wait-until.js';

let gate = signal();
let outcome = signal<unknown>();
/** How many notes each listener saw. */
let seen: number[] = [];

@Injectable()
class Listeners {
  constructor(
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    private readonly session: ScopedSession,
    private readonly tasks: BackgroundTasks,
  ) {}

  @OnEvent('joins')
  async joins(text: string): Promise<void> {
    await this.#note(text);
  }

  @OnEvent('own')
  @SessionScope()
  async own(text: string): Promise<void> {
    await this.#note(text);
  }

  @SessionScope()
  @OnEvent('own.fails', { suppressErrors: false })
  async fails(text: string): Promise<void> {
    await this.#note(text);
    throw new Error('of the listener');
  }

  @OnEvent('after')
  after(text: string): void {
    this.tasks.afterCommit(() => this.#note(text));
  }

  /** Emitted and not awaited: it goes on when the request has ended. */
  @OnEvent('late')
  async late(text: string): Promise<void> {
    await gate.promise;
    await this.#insert(text).then(outcome.resolve, outcome.resolve);
  }

  @OnEvent('late.own')
  @SessionScope()
  async lateOwn(text: string): Promise<void> {
    await gate.promise;
    await this.#insert(text).then(outcome.resolve, outcome.resolve);
  }

  async #insert(text: string): Promise<void> {
    await this.session.execute('INSERT INTO note (text) VALUES (:text)', { text });
  }

  async #note(text: string): Promise<void> {
    seen.push(await this.session.count(Note));
    await this.notes.insert({ text });
  }
}

@Controller()
class OrdersController {
  constructor(
    private readonly events: EventEmitter2,
    @InjectRepository(Note) private readonly notes: Repository<Note>,
  ) {}

  @Post('awaits/:event')
  async awaits(@Param('event') event: string): Promise<string> {
    await this.notes.insert({ text: 'order' });
    await this.events.emitAsync(event, 'heard');
    return 'ordered';
  }

  @Post('awaits-and-fails/:event')
  async awaitsAndFails(@Param('event') event: string): Promise<never> {
    await this.awaits(event);
    throw new Error('no order');
  }

  @Post('emits/:event')
  async emits(@Param('event') event: string): Promise<string> {
    await this.notes.insert({ text: 'order' });
    this.events.emit(event, 'heard');
    return 'ordered';
  }
}

onEach(['mariadb', 'sqljs'], (database) => {
  let served: Served;
  const stored = async (): Promise<string[]> => {
    const rows = await served.app
      .get(DataSource)
      .getRepository(Note)
      .find({ order: { id: 'ASC' } });
    return rows.map(({ text }) => text);
  };

  beforeEach(async () => {
    [gate, outcome] = [signal(), signal()];
    seen = [];
    served = await serve(database, {
      imports: [
        TypeOrmModule.forRoot(withNotes(database)),
        TypeOrmModule.forFeature([Note]),
        ScopedSessionModule.forRoot(),
        EventEmitterModule.forRoot({ wildcard: false }),
      ],
      controllers: [OrdersController],
      providers: [Listeners],
    });
  });

  it('a listener takes part in the request that awaits it: sees what is not committed, and shares its fate', async () => {
    await served.http.post('/awaits/joins').expect(201);
    expect([seen, await stored()]).toEqual([[1], ['order', 'heard']]);
    await served.app.get(DataSource).getRepository(Note).clear();
    await served.http.post('/awaits-and-fails/joins').expect(500);
    expect(await stored()).toEqual([]);
  });

  it('a listener that registers a task: it sees what was committed, and is not started otherwise', async () => {
    const tasks = served.app.get(BackgroundTasks);
    await served.http.post('/emits/after').expect(201);
    await tasks.idle();
    expect([seen, await stored()]).toEqual([[1], ['order', 'heard']]);
    await served.app.get(DataSource).getRepository(Note).clear();
    await served.http.post('/awaits-and-fails/after').expect(500);
    await tasks.idle();
    expect(await stored()).toEqual([]);
  });

  it('F86: a listener that nobody awaits is refused when the request has ended; the error names it, and the cure', async () => {
    await served.http.post('/emits/late').expect(201);
    gate.resolve();
    const error = (await outcome.promise) as Error;
    expect(error).toBeInstanceOf(SessionClosedError);
    expect(error.message).toMatch(
      /The session of OrdersController\.emits has ended.*BackgroundTasks\.run\(fn\)/,
    );
    expect(await stored()).toEqual(['order']);
  });

  describe('outside of every request', () => {
    it('a listener has no session, and @SessionScope() gives it one', async () => {
      const events = served.app.get(EventEmitter2);
      await events.emitAsync('joins', 'never');
      expect(served.heard.of('error', new NoActiveScopeError('A registry of scopes').message)).toHaveLength(
        1,
      );
      await events.emitAsync('own', 'heard');
      expect([seen, await stored()]).toEqual([[0], ['heard']]);
    });

    it('its failure is rolled back, and goes to whoever awaits it', async () => {
      const emitted = served.app.get(EventEmitter2).emitAsync('own.fails', 'never');
      await expect(emitted).rejects.toThrow('of the listener');
      expect(await stored()).toEqual([]);
    });
  });
});

onEach(['mariadb'], (database) => {
  let served: Served;
  const stored = async (): Promise<string[]> => {
    const rows = await served.app.get(DataSource).getRepository(Note).find();
    return rows.map(({ text }) => text).toSorted();
  };

  beforeEach(async () => {
    [gate, outcome] = [signal(), signal()];
    seen = [];
    served = await serve(database, {
      imports: [
        TypeOrmModule.forRoot(withNotes(database)),
        TypeOrmModule.forFeature([Note]),
        ScopedSessionModule.forRoot(),
        EventEmitterModule.forRoot(),
      ],
      controllers: [OrdersController],
      providers: [Listeners],
    });
  });

  it('@SessionScope() in a request: it sees nothing that is not committed, and is kept when the request is not', async () => {
    await served.http.post('/awaits-and-fails/own').expect(500);
    expect([seen, await stored()]).toEqual([[0], ['heard']]);
  });

  it('@SessionScope() outlives the request that does not await it', async () => {
    await served.http.post('/emits/late.own').expect(201);
    gate.resolve();
    expect(await outcome.promise).not.toBeInstanceOf(Error);
    await waitUntil('it is committed', async () => (await stored()).length === 2);
    expect(await stored()).toEqual(['heard', 'order']);
  });
});

onEach(['sqljs'], (database) => {
  it('where there is one connection, a listener of its own inside the request is told at once that it waits for itself', async () => {
    [gate, outcome] = [signal(), signal()];
    seen = [];
    const served = await serve(database, {
      imports: [
        TypeOrmModule.forRoot(withNotes(database)),
        TypeOrmModule.forFeature([Note]),
        ScopedSessionModule.forRoot(),
        EventEmitterModule.forRoot(),
      ],
      controllers: [OrdersController],
      providers: [Listeners],
    });
    await served.http.post('/awaits/own').expect(201);
    expect(served.heard.of('error', 'waits for a connection')).toEqual([
      expect.stringContaining('Listeners.own'),
    ]);
  });
});
