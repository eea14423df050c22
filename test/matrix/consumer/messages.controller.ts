/** Messages of a microservice, which are units of work as requests are. */
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { Session } from 'nestjs-scoped-session';
import { NotesService } from './notes.service.js';

@Controller()
export class MessagesController {
  constructor(private readonly notes: NotesService) {}

  @MessagePattern('add')
  async add(@Payload() { text, fails }: { text: string; fails?: boolean }, @Session() session: Session) {
    await this.notes.addByRepository(text);
    if (fails === true) throw new RpcException('on purpose');
    return Number(await session.scalar('SELECT COUNT(*) FROM note'));
  }
}
