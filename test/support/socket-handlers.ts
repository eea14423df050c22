/** Gateways that do by hand what Nest does by itself, and hooks of sockets that ask for a session. */
import { UseFilters, UseInterceptors } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import {
  Ack,
  ConnectedSocket,
  MessageBody,
  type OnGatewayConnection,
  type OnGatewayDisconnect,
  type OnGatewayInit,
  SubscribeMessage,
  WebSocketGateway,
  WsException,
} from '@nestjs/websockets';
import { ScopedSession, SessionErrorFilter, SessionInterceptor } from 'nestjs-scoped-session';
import { concat, from, mergeMap, NEVER, type Observable, of } from 'rxjs';
import { Repository } from 'typeorm';
import { Attempt, Stage } from './message-stage.js';
import { Note } from './note.js';

type Acknowledge = (answer: unknown) => void;

@WebSocketGateway()
@UseFilters(SessionErrorFilter)
export class SocketGateway {
  constructor(
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    private readonly stage: Stage,
  ) {}

  @SubscribeMessage('acknowledges')
  async acknowledges(@MessageBody() text: string, @Ack() acknowledge: Acknowledge): Promise<void> {
    acknowledge({ stored: text });
    await this.notes.insert({ text });
    this.stage.arrived.resolve();
    await this.stage.gate.promise;
  }

  @SubscribeMessage('ping')
  ping(): object {
    return { pong: true };
  }

  @SubscribeMessage('acknowledges-and-fails')
  async acknowledgesAndFails(@MessageBody() text: string, @Ack() acknowledge: Acknowledge): Promise<void> {
    await this.notes.insert({ text });
    acknowledge({ stored: text });
    throw new WsException('not like this');
  }

  @SubscribeMessage('acknowledges-a-stream')
  acknowledgesStream(@MessageBody() text: string, @Ack() acknowledge: Acknowledge): Observable<object> {
    acknowledge({ begins: text });
    return concat(of({ event: 'value', data: 'first' }), NEVER);
  }

  @SubscribeMessage('emits')
  async emits(
    @MessageBody() text: string,
    @ConnectedSocket() client: { emit(event: string, data: unknown): void },
  ): Promise<void> {
    await this.notes.insert({ text });
    client.emit('value', text);
    await this.stage.gate.promise;
  }

  @SubscribeMessage('waits')
  async waits(@MessageBody() text: string): Promise<object> {
    await this.notes.insert({ text });
    this.stage.arrived.resolve();
    await this.stage.gate.promise;
    await this.notes.insert({ text: `${text}, after` });
    return { stored: text };
  }

  @SubscribeMessage('waits-and-fails')
  async waitsAndFails(@MessageBody() text: string): Promise<never> {
    await this.waits(text);
    throw new WsException('nobody hears this');
  }

  @SubscribeMessage('never')
  async never(@MessageBody() text: string): Promise<never> {
    await this.notes.insert({ text });
    this.stage.arrived.resolve();
    return new Promise(() => undefined);
  }

  @SubscribeMessage('never-used')
  neverUsed(): Promise<never> {
    this.stage.arrived.resolve();
    return new Promise(() => undefined);
  }

  @SubscribeMessage('streams')
  streams(@MessageBody() text: string): Observable<object> {
    const stored = from(this.notes.insert({ text }));
    return stored.pipe(mergeMap(() => concat(of({ event: 'value', data: 'first' }), NEVER)));
  }
}

/** As gateways of Nest 11 do, for which no interceptor of the application runs. */
@WebSocketGateway()
@UseInterceptors(SessionInterceptor)
export class NamingGateway extends SocketGateway {}

/** Nest calls these for the socket and not for a message. */
@WebSocketGateway()
export class HooksGateway implements OnGatewayInit, OnGatewayConnection, OnGatewayDisconnect {
  constructor(
    private readonly attempt: Attempt,
    private readonly session: ScopedSession,
    private readonly stage: Stage,
  ) {}

  afterInit(): void {
    this.attempt.make();
  }

  async handleConnection(): Promise<void> {
    this.attempt.make();
    await this.session.run(() => this.session.manager.insert(Note, { text: 'connected' }));
    this.stage.arrived.resolve();
  }

  handleDisconnect(): void {
    this.attempt.make();
    this.stage.gate.resolve();
  }
}
