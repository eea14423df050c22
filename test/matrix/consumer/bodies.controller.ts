/** Responses that are more than one value. */
import { Readable } from 'node:stream';
import { Controller, Get, type MessageEvent, Query, Sse, StreamableFile } from '@nestjs/common';
import { concat, defer, type Observable, of } from 'rxjs';
import { NotesService } from './notes.service.js';

@Controller('bodies')
export class BodiesController {
  constructor(private readonly notes: NotesService) {}

  @Get('file')
  async file(@Query('fails') fails?: string): Promise<StreamableFile> {
    await this.notes.addByRepository('the handler');
    return new StreamableFile(Readable.from(this.lines(fails !== undefined)), { type: 'text/plain' });
  }

  /** Nest 12 sends what it yields; Nest 11 knows nothing of generators. */
  @Get('generator')
  async generator(): Promise<AsyncGenerator<Buffer>> {
    await this.notes.addByRepository('the handler');
    return this.lines(false);
  }

  @Get('observable')
  observable(): Observable<string> {
    return concat(
      of('first'),
      defer(async () => {
        await this.notes.addBySession('the observable');
        return 'last';
      }),
    );
  }

  @Sse('events')
  events(): Observable<MessageEvent> {
    const event = (text: string) =>
      defer(async () => {
        await this.notes.addByRepository(text);
        return { data: text };
      });
    return concat(event('first'), event('second'));
  }

  private async *lines(fails: boolean): AsyncGenerator<Buffer> {
    yield Buffer.from('one,');
    await this.notes.addBySession('the body');
    yield Buffer.from('two');
    if (fails) throw new Error('a body that fails');
  }
}
