/** What the tests of the transports send messages to: the same handlers in a controller and in a gateway. */
import { Controller, Injectable, UseFilters, UseGuards, UseInterceptors } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { InjectRepository } from '@nestjs/typeorm';
import { WebSocketGateway, WsException } from '@nestjs/websockets';
import {
  currentScope,
  ScopedSession,
  Session,
  SessionErrorFilter,
  SessionOptions,
} from 'nestjs-scoped-session';
import { concat, defer, from, map, mergeMap, type Observable, of } from 'rxjs';
import { DataSource, Repository } from 'typeorm';
import {
  AskingFilter,
  AskingGuard,
  AskingInterceptor,
  AskingPipe,
  Happening,
  Message,
  RefusingGuard,
  Stage,
} from './message-stage.js';
import { Note } from './note.js';
import { loseAtCommit } from './plain-and-ours.js';

@Injectable()
export abstract class MessageHandlers {
  constructor(
    @InjectRepository(Note) protected readonly notes: Repository<Note>,
    private readonly session: ScopedSession,
    private readonly dataSource: DataSource,
    protected readonly stage: Stage,
  ) {}

  protected abstract refusal(text: string): Error;

  @Message('create')
  async create(@Payload(AskingPipe) text: string, @Session() session: Session): Promise<object> {
    await this.notes.insert({ text });
    await session.execute('INSERT INTO note (text) VALUES (:text)', { text: `${text}, by session` });
    await this.dataSource.manager.insert(Note, { text: `${text}, by manager` });
    const same = session === this.session.current() && this.stage.seen[0] === session;
    return { same, label: currentScope()?.label };
  }

  /** Uses nothing but TypeORM. */
  @Message('plain')
  async plain(@Payload() text: string): Promise<never> {
    await this.notes.insert({ text });
    throw this.refusal('and yet it may be stored');
  }

  /** Uses the session through nothing but a singleton. */
  @Message('via-service')
  async viaService(@Payload() text: string): Promise<object> {
    await this.session.execute('INSERT INTO note (text) VALUES (:text)', { text });
    return {};
  }

  @Message('throws')
  async throws(@Payload() text: string): Promise<never> {
    await this.notes.insert({ text });
    throw this.refusal('not like this');
  }

  @Message('throws-error')
  async throwsError(@Payload() text: string): Promise<never> {
    await this.notes.insert({ text });
    throw new Error('nobody is told this');
  }

  @Message('fails')
  fails(@Payload() text: string): Observable<never> {
    return defer(async () => {
      await this.notes.insert({ text });
      throw this.refusal('not like this');
    });
  }

  @Message('fails-in-stream')
  failsInStream(@Payload() text: string): Observable<object> {
    return concat(of({ event: 'value', data: 'first' }), this.fails(text));
  }

  @Message('fails-in-filter')
  @UseFilters(AskingFilter)
  async failsInFilter(@Payload() text: string): Promise<never> {
    await this.notes.insert({ text });
    throw new RangeError('out of range');
  }

  @Message('lost')
  async lost(@Payload() text: string): Promise<object> {
    await this.notes.insert({ text });
    await loseAtCommit(this.session);
    return { stored: text };
  }

  @Message('stream')
  stream(@Payload() text: string): Observable<object> {
    const last = from(this.stage.gate.promise).pipe(mergeMap(async () => this.notes.insert({ text })));
    return concat(
      of({ event: 'value', data: 'first' }),
      last.pipe(map(() => ({ event: 'value', data: 'last' }))),
    );
  }

  /** Two of them wait for each other before either goes on. */
  @Message('meet')
  async meet(@Payload() text: string, @Session() session: Session): Promise<object> {
    this.stage.seen.push(session);
    if (this.stage.seen.length === 2) this.stage.gate.resolve();
    await this.stage.gate.promise;
    const same = session === this.session.current();
    await this.notes.insert({ text });
    return { same };
  }

  @Message('waits')
  @UseFilters(SessionErrorFilter)
  async waits(@Payload() text: string): Promise<object> {
    await this.notes.insert({ text });
    this.stage.arrived.resolve();
    await this.stage.gate.promise;
    return { stored: text };
  }

  @Message('never')
  @SessionOptions({ timeoutMs: 50 })
  @UseFilters(SessionErrorFilter)
  async never(@Payload() text: string): Promise<never> {
    await this.notes.insert({ text });
    return new Promise(() => undefined);
  }

  @Message('one')
  @UseFilters(SessionErrorFilter)
  async one(@Session() session: Session): Promise<unknown> {
    return (await session.execute("SELECT text FROM note WHERE text = 'nobody'")).one();
  }

  @Message('outside')
  @SessionOptions({ enabled: false })
  async outside(@Payload() text: string): Promise<never> {
    await this.notes.insert({ text });
    throw this.refusal('and yet it is stored');
  }

  @Message('by-hand')
  @SessionOptions({ commit: 'manual' })
  async byHand(@Payload() text: string, @Session() session: Session): Promise<object> {
    await this.notes.insert({ text });
    await session.commit();
    await this.notes.insert({ text: `${text}, dropped` });
    return {};
  }

  @Message('intercepted')
  @UseInterceptors(AskingInterceptor)
  async intercepted(@Payload() text: string): Promise<object> {
    await this.notes.insert({ text });
    return {};
  }

  @Message('guarded')
  @UseGuards(AskingGuard)
  guarded(): object {
    return {};
  }

  @Happening('happened')
  async happened(@Payload() text: string): Promise<void> {
    await this.notes.insert({ text });
    this.stage.arrived.resolve();
  }

  @Happening('failed-by-code')
  async failedByCode(@Session() session: Session): Promise<void> {
    await session.execute("INSERT INTO note (text) VALUES ('lost')");
    (await session.execute("SELECT text FROM note WHERE text = 'nobody'")).one();
  }

  @Happening('failed')
  async failed(@Payload() text: string): Promise<void> {
    await this.notes.insert({ text });
    this.stage.arrived.resolve();
    throw this.refusal('an event that fails');
  }
}

@Controller()
export class MessagesController extends MessageHandlers {
  @MessagePattern('refused')
  @UseGuards(RefusingGuard)
  refused(): object {
    return {};
  }

  protected refusal(text: string): Error {
    return new RpcException(text);
  }

  @EventPattern('happened')
  async happenedToo(@Payload() text: string): Promise<void> {
    await this.notes.insert({ text: `${text}, too` });
  }
}

@WebSocketGateway()
export class MessagesGateway extends MessageHandlers {
  protected refusal(text: string): Error {
    return new WsException(text);
  }
}
