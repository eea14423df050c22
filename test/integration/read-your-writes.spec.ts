/** Requests of one client, one after the other: what one has written the next one reads, though the replica does not have it. */
import { Body, Controller, Get, type ExecutionContext, Post, type Type } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  InvalidOptionError,
  ScopedSessionModule,
  type ScopedSessionModuleOptions,
  Session,
  SessionOptions,
} from 'nestjs-scoped-session';
import { describe, expect, it } from 'vitest';
import { serve, type Served } from '../support/boot.js';
import { onEach, SERVERS } from '../support/databases.js';
import { ON_PRIMARY, ON_REPLICA, useStaleReplica } from '../support/replicated.js';
import { PLATFORMS } from '../support/test-app.js';

@Controller('notes')
class NotesController {
  @Get()
  @SessionOptions({ readOnly: true })
  all(@Session() session: Session): Promise<string[]> {
    return session.scalars('SELECT text FROM note ORDER BY id');
  }

  @Get('current')
  current(@Session() session: Session): Promise<string[]> {
    return session.scalars('SELECT text FROM note ORDER BY id');
  }

  @Post()
  async add(@Session() session: Session, @Body() { text }: { text: string }): Promise<void> {
    await session.execute('INSERT INTO note (text) VALUES (:text)', { text });
  }

  @Post('read')
  async addAndRead(@Session() session: Session, @Body() { text }: { text: string }): Promise<string[]> {
    await this.add(session, { text });
    await session.commit();
    await session.begin({ readOnly: true });
    return this.all(session);
  }
}

const clientOf = (context: ExecutionContext): string | undefined =>
  context.switchToHttp().getRequest<{ headers: Record<string, string | undefined> }>().headers['x-user'];

onEach(SERVERS, (database) => {
  const replica = useStaleReplica(database);

  const start = (
    session: ScopedSessionModuleOptions,
    platform: (typeof PLATFORMS)[number] = 'express',
  ): Promise<Served> =>
    serve(
      database,
      {
        imports: [
          TypeOrmModule.forRoot({ ...replica.options(), retryAttempts: 1 }),
          ScopedSessionModule.forRoot(session),
        ],
        controllers: [NotesController as Type],
      },
      platform,
    );
  const read = async ({ http }: Served, user?: string): Promise<unknown> => {
    const asked = http.get('/notes');
    return (await (user === undefined ? asked : asked.set('x-user', user)).expect(200)).body as unknown;
  };

  describe.each(PLATFORMS)('under %s', (platform) => {
    it('a client reads what its last request wrote, and others what the replica has', async () => {
      const app = await start({ readYourWrites: { clientOf } }, platform);
      expect(await read(app, 'Ada')).toEqual([ON_REPLICA]);
      await app.http.post('/notes').set('x-user', 'Ada').send({ text: 'of Ada' }).expect(201);
      expect(await read(app, 'Ada')).toEqual([ON_PRIMARY, 'of Ada']);
      expect(await read(app, 'Grace')).toEqual([ON_REPLICA]);
      expect(await read(app)).toEqual([ON_REPLICA]);
    });
  });

  it('without the option each request is for itself; what it wrote it reads itself', async () => {
    const app = await start({});
    const { body } = await app.http
      .post('/notes/read')
      .set('x-user', 'Ada')
      .send({ text: 'of Ada' })
      .expect(201);
    expect(body).toEqual([ON_PRIMARY, 'of Ada']);
    expect(await read(app, 'Ada')).toEqual([ON_REPLICA]);
  });

  it('a GET is not readOnly by itself', async () => {
    const app = await start({});
    expect((await app.http.get('/notes/current').expect(200)).body).toEqual([ON_PRIMARY]);
  });

  it('a request that failed has written nothing', async () => {
    const app = await start({ readYourWrites: { clientOf } });
    await app.http.post('/notes').set('x-user', 'Ada').send({ text: ON_PRIMARY }).expect(500);
    expect(await read(app, 'Ada')).toEqual([ON_REPLICA]);
  });

  it('a name that is no text ends the request, and wrong options end the boot', async () => {
    const app = await start({ readYourWrites: { clientOf: () => 7 as never } });
    await app.http.get('/notes').expect(500);
    expect(() => ScopedSessionModule.forRoot({ readYourWrites: {} as never })).toThrow(InvalidOptionError);
    expect(() => ScopedSessionModule.forRoot({ readYourWrites: { clientOf, forMs: 0 } })).toThrow(/forMs/);
    expect(() =>
      ScopedSessionModule.forRoot({ readYourWrites: { clientOf, forSeconds: 1 } as never }),
    ).toThrow(/forSeconds/);
  });
});
