/** The transaction interceptor that is copied from blog to blog answers 200 and stores nothing; ours stores, then answers. */
import {
  type CallHandler,
  Controller,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  Post,
  Req,
  UseInterceptors,
} from '@nestjs/common';
import { Session, SessionOptions } from 'nestjs-scoped-session';
import { catchError, finalize, type Observable, tap } from 'rxjs';
import { DataSource, type QueryRunner } from 'typeorm';
import { expect, it } from 'vitest';
import { onEach, SERVERS } from '../support/databases.js';
import { Note } from '../support/note.js';
import { startApp } from '../support/test-app.js';
import { quiet } from '../support/quiet.js';
import { waitUntil } from '../support/wait-until.js';

interface WithRunner {
  runner: QueryRunner;
}

/** As published, with other names: `tap` and `finalize` are given async functions that RxJS does not wait for. */
@Injectable()
class FolkloreInterceptor implements NestInterceptor {
  constructor(private readonly dataSource: DataSource) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const runner = this.dataSource.createQueryRunner();
    await runner.connect();
    await runner.startTransaction();
    context.switchToHttp().getRequest<WithRunner>().runner = runner;
    return next.handle().pipe(
      // oxlint-disable-next-line typescript/no-misused-promises -- this is what is shown
      tap(async () => runner.commitTransaction()),
      catchError(async (error: unknown) => {
        await runner.rollbackTransaction();
        throw error;
      }),
      // oxlint-disable-next-line typescript/no-misused-promises -- this is what is shown
      finalize(async () => runner.release()),
    );
  }
}

@Controller()
class NotesController {
  @Post('folklore')
  @SessionOptions({ enabled: false })
  @UseInterceptors(FolkloreInterceptor)
  async folklore(@Req() { runner }: WithRunner): Promise<string> {
    await runner.manager.insert(Note, { text: 'by folklore' });
    return 'stored, it says';
  }

  @Post('ours')
  async ours(@Session() session: Session): Promise<string> {
    await session.manager.insert(Note, { text: 'by us' });
    return 'stored';
  }
}

onEach(SERVERS, (database) => {
  it('5.H: answers 200 and stores nothing, while ours stores before it answers', async () => {
    const { http } = await startApp(database, {
      controllers: [NotesController],
      providers: [FolkloreInterceptor],
      // One connection for folklore to spoil, and a fresh one for everybody after it.
      dataSource: { poolSize: 5 },
    });
    const stored = async (): Promise<unknown[]> => database.ask('SELECT text FROM note ORDER BY id');

    await http.post('/folklore').expect(201, 'stored, it says');
    const unhandled: unknown[] = [];
    await waitUntil('its rejection comes up', () => unhandled.push(...quiet.drain()) > 0);
    expect(String(unhandled[0])).toContain('QueryRunnerAlreadyReleasedError');
    expect(await stored()).toEqual([]);

    await http.post('/ours').expect(201, 'stored');
    expect((await stored()).map((row) => (row as Note).text)).toContain('by us');
  });
});
