/** A handler whose options come too late, for a guard has begun already: refused, and nothing is left behind. */
import { type CanActivate, Controller, Get, Injectable, UseGuards } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { ScopedSession, SessionOptions } from 'nestjs-scoped-session';
import { Repository } from 'typeorm';
import { expect, it } from 'vitest';
import { onEach, KINDS } from '../support/databases.js';
import { Note } from '../support/note.js';
import { startApp } from '../support/test-app.js';

@Injectable()
class WritingGuard implements CanActivate {
  constructor(@InjectRepository(Note) private readonly notes: Repository<Note>) {}

  async canActivate(): Promise<boolean> {
    await this.notes.insert({ text: 'by the guard' });
    return true;
  }
}

let handled = 0;

@Controller()
class ReportController {
  constructor(private readonly session: ScopedSession) {}

  @Get('report')
  @UseGuards(WritingGuard)
  @SessionOptions({ readOnly: true })
  report(): string {
    handled += 1;
    return 'report';
  }

  @Get('count')
  async count(): Promise<{ count: number }> {
    return { count: Number(await this.session.scalar('SELECT COUNT(*) FROM note')) };
  }
}

onEach(KINDS, (database) => {
  it('refuses the handler, rolls back before it answers and leaves no unit of work behind', async () => {
    handled = 0;
    const app = await startApp(database, { controllers: [ReportController], providers: [WritingGuard] });
    const refused = await app.http.get('/report');
    expect({ status: refused.status, live: app.liveScopes(), handled }).toEqual({
      status: 500,
      live: 0,
      handled: 0,
    });
    expect((await app.http.get('/count')).body).toEqual({ count: 0 });
  });
});
