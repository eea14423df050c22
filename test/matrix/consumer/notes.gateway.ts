/** Messages of a socket; Nest 11 runs no interceptor of the application for them, so the gateway names it. */
import { UseInterceptors } from '@nestjs/common';
import { MessageBody, SubscribeMessage, WebSocketGateway, WsException } from '@nestjs/websockets';
import { Session, SessionInterceptor } from 'nestjs-scoped-session';
import { NotesService } from './notes.service.js';

@WebSocketGateway()
@UseInterceptors(SessionInterceptor)
export class NotesGateway {
  constructor(private readonly notes: NotesService) {}

  @SubscribeMessage('add')
  async add(@MessageBody() { text, fails }: { text: string; fails?: boolean }, @Session() session: Session) {
    this.notes.listen();
    await this.notes.addByRepository(text);
    await this.notes.addBySession(text);
    if (fails === true) throw new WsException('on purpose');
    return { event: 'added', data: Number(await session.scalar('SELECT COUNT(*) FROM note')) };
  }
}
