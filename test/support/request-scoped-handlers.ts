/** Handlers of messages with a REQUEST-scoped provider: Nest makes them anew, for a socket or for a message. */
import { Controller, Injectable, Scope as ProviderScope } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { WebSocketGateway } from '@nestjs/websockets';
import { InjectSession, Session } from 'nestjs-scoped-session';
import { Message, Stage } from './message-stage.js';

/** The session of a REQUEST-scoped provider. */
@Injectable({ scope: ProviderScope.REQUEST })
export class RequestScoped {
  constructor(@InjectSession() readonly session: Session) {}
}

@Injectable()
abstract class RequestScopedHandlers {
  constructor(
    private readonly provider: RequestScoped,
    private readonly stage: Stage,
  ) {}

  @Message('request-scoped')
  async create(@Payload() text: string, @Session() session: Session): Promise<object> {
    this.stage.seen.push(session);
    if (this.stage.seen.length === 2) this.stage.gate.resolve();
    await this.stage.gate.promise;
    await this.provider.session.execute('INSERT INTO note (text) VALUES (:text)', { text });
    return { own: session.inTransaction() };
  }
}

@Controller()
export class RequestScopedController extends RequestScopedHandlers {}

@WebSocketGateway()
export class RequestScopedGateway extends RequestScopedHandlers {}
