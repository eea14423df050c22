/** Reads on a replica that may be behind, and clients that see what they wrote all the same. */
import { Controller, type ExecutionContext, Get, Post, Query } from '@nestjs/common';
import { ScopedSession, type ScopedSessionModuleOptions, SessionOptions } from 'nestjs-scoped-session';

@Controller('notes')
export class GuestBookController {
  constructor(private readonly session: ScopedSession) {}

  /** On a replica, unless this client has written just now. */
  @Get()
  @SessionOptions({ readOnly: true })
  list(): Promise<string[]> {
    return this.session.scalars('SELECT text FROM note ORDER BY id');
  }

  /** All of it on the primary: it reads what it wrote. */
  @Post()
  async write(@Query('text') text: string): Promise<string[]> {
    await this.session.execute('INSERT INTO note (text) VALUES (:text)', { text });
    return this.session.scalars('SELECT text FROM note ORDER BY id');
  }
}

const clientOf = (context: ExecutionContext): string | undefined =>
  context.switchToHttp().getRequest<{ headers: Record<string, string> }>().headers['x-user'];

/** `ScopedSessionModule.forRoot(stickyClients)`, beside `TypeOrmModule.forRoot({ …, replication: { master, slaves } })`. */
export const stickyClients: ScopedSessionModuleOptions = {
  readYourWrites: { clientOf, forMs: 30_000 },
};
