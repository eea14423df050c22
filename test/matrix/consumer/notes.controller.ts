/** Requests that write notes: by sessions, repositories, savepoints and parts. */
import { Body, ConflictException, Controller, Post, Query } from '@nestjs/common';
import { ScopedSession, Session } from 'nestjs-scoped-session';
import { Note } from './entities.js';
import { NotesService } from './notes.service.js';
import { signal } from './signal.js';

@Controller('notes')
export class NotesController {
  /** Where `slow` waits, and says that it does. */
  readonly gate = signal();
  readonly arrived = signal();

  constructor(
    private readonly notes: NotesService,
    private readonly session: ScopedSession,
  ) {}

  @Post()
  async add(
    @Session() session: Session,
    @Body('text') text: string,
    @Query('fails') fails?: string,
  ): Promise<object> {
    this.notes.listen();
    await this.notes.addByRepository(`${text} by the repository`);
    await this.notes.addBySession(`${text} by the session`);
    session.add(Object.assign(new Note(), { text: `${text} as an object` }));
    if (fails !== undefined) throw new ConflictException('on purpose');
    return { isOne: session === this.session.current() };
  }

  @Post('managers')
  async managers(@Body('text') text: string, @Query('fails') fails?: string): Promise<void> {
    await this.notes.addByManagers(text);
    if (fails !== undefined) throw new ConflictException('on purpose');
  }

  @Post('nested')
  async nested(@Session() session: Session): Promise<object> {
    await this.notes.addBySession('around');
    const failed = session.beginNested(async () => {
      await this.notes.addByRepository('undone');
      throw new Error('undo it');
    });
    const message = await failed.catch((error: unknown) => (error as Error).message);
    await session.beginNested(async () => this.notes.addByRepository('kept'));
    return { message };
  }

  @Post('parts')
  async parts(): Promise<void> {
    await this.notes.join('joined');
    await this.notes.tryAndFail('undone').catch(() => undefined);
  }

  @Post('apart')
  async apart(): Promise<never> {
    await this.notes.apart('apart');
    await this.notes.addByRepository('lost');
    throw new ConflictException('on purpose');
  }

  @Post('slow')
  async slow(): Promise<void> {
    await this.notes.addByRepository('before');
    this.arrived.resolve();
    await this.gate.promise;
    await this.notes.addBySession('after');
  }
}
