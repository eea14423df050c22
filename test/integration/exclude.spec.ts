/** Routes without a unit of work: `exclude` of forRoot, and `@SessionOptions({ enabled: false })`. */
import {
  ConflictException,
  Controller,
  Get,
  type INestApplication,
  Param,
  Post,
  RequestMethod,
  VersioningType,
} from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import {
  currentScope,
  type ExcludedRoute,
  NoActiveScopeError,
  ScopedSession,
  ScopedSessionModule,
  SessionOptions,
} from 'nestjs-scoped-session';
import { DataSource, Repository } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { serve, type Served, withNotes } from '../support/boot.js';
import { useDatabase } from '../support/databases.js';
import { Note } from '../support/note.js';
import { PLATFORMS } from '../support/test-app.js';

const database = useDatabase('sqljs');

class Writing {
  constructor(
    @InjectRepository(Note) protected readonly notes: Repository<Note>,
    protected readonly session: ScopedSession,
  ) {}

  /** Stored for good only where nothing rolls it back. */
  protected async writeAndFail(text: string): Promise<never> {
    await this.notes.insert({ text });
    throw new ConflictException();
  }

  protected look(): object {
    let session = 'there';
    try {
      this.session.current();
    } catch (error) {
      session = error instanceof NoActiveScopeError ? 'none' : 'broken';
    }
    return { scope: currentScope() !== undefined, session };
  }
}

@Controller('health')
class HealthController extends Writing {
  @Get()
  look_(): object {
    return this.look();
  }

  @Post()
  async write(): Promise<void> {
    await this.writeAndFail('health');
  }

  @Get('deep/:level')
  deep(@Param('level') _level: string): object {
    return this.look();
  }
}

@Controller('notes')
class NotesController extends Writing {
  @Get()
  look_(): object {
    return this.look();
  }

  @Post(':text')
  async write(@Param('text') text: string): Promise<void> {
    await this.writeAndFail(text);
  }
}

@Controller('plain')
@SessionOptions({ enabled: false })
class PlainController extends Writing {
  @Get()
  look_(): object {
    return this.look();
  }

  @Post(':text')
  async write(@Param('text') text: string): Promise<void> {
    await this.writeAndFail(text);
  }

  @Post('joined/:text')
  @SessionOptions({ enabled: true })
  async joined(@Param('text') text: string): Promise<void> {
    await this.writeAndFail(text);
  }
}

const OUTSIDE = { scope: false, session: 'none' };
const INSIDE = { scope: true, session: 'there' };

describe.each(PLATFORMS)('%s', (platform) => {
  const start = (
    exclude: readonly ExcludedRoute[],
    configure: (app: INestApplication) => unknown = () => undefined,
  ): Promise<Served> =>
    serve(
      database,
      {
        imports: [
          TypeOrmModule.forRoot(withNotes(database)),
          TypeOrmModule.forFeature([Note]),
          ScopedSessionModule.forRoot({ exclude }),
        ],
        controllers: [HealthController, NotesController, PlainController],
      },
      platform,
      configure,
    );
  const stored = async ({ app }: Served): Promise<string[]> =>
    (await app.get(DataSource).getRepository(Note).find()).map(({ text }) => text);

  it('an excluded route has no scope, and plain repositories; the others have one', async () => {
    const served = await start(['/health']);
    await served.http.get('/health').expect(200, OUTSIDE);
    await served.http.post('/health').expect(409);
    await served.http.get('/notes').expect(200, INSIDE);
    await served.http.post('/notes/lost').expect(409);
    await served.http.get('/health/deep/1').expect(200, INSIDE);
    expect(await stored(served)).toEqual(['health']);
  });

  it('patterns and methods are those of Nest’s middleware consumer', async () => {
    const { http } = await start([
      'health{/*path}',
      { path: 'notes', method: RequestMethod.GET },
      { path: 'plain/:text', method: RequestMethod.POST },
    ]);
    await http.get('/health').expect(200, OUTSIDE);
    await http.get('/health/deep/1').expect(200, OUTSIDE);
    await http.get('/notes').expect(200, OUTSIDE);
  });

  it('a route excluded for one method has a scope for the others', async () => {
    const served = await start([{ path: 'health', method: RequestMethod.GET }]);
    await served.http.get('/health').expect(200, OUTSIDE);
    await served.http.post('/health').expect(409);
    expect(await stored(served)).toEqual([]);
  });

  it('a query does not make another route of it', async () => {
    const { http } = await start(['/health']);
    await http.get('/health?verbose=1').expect(200, OUTSIDE);
    await http.get('/notes?path=/health').expect(200, INSIDE);
  });

  it('with a global prefix the routes are meant without it', async () => {
    const { http } = await start(['/health'], (app) => app.setGlobalPrefix('api'));
    await http.get('/api/health').expect(200, OUTSIDE);
    await http.get('/api/notes').expect(200, INSIDE);
  });

  it('a route outside the global prefix has a scope, unless it is excluded as well', async () => {
    const prefix = (app: INestApplication): unknown =>
      app.setGlobalPrefix('api', { exclude: ['health', 'notes'] });
    const { http } = await start(['/health'], prefix);
    await http.get('/health').expect(200, OUTSIDE);
    await http.get('/notes').expect(200, INSIDE);
    await http.get('/api/plain').expect(200, OUTSIDE);
  });

  it('routes with a version in their path have a scope', async () => {
    const { http } = await start(['/health'], (app) =>
      app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' }),
    );
    await http.get('/v1/notes').expect(200, INSIDE);
  });

  it('enabled: false takes a controller out, and a handler of it can be taken in again', async () => {
    const served = await start([]);
    await served.http.get('/plain').expect(200, OUTSIDE);
    await served.http.post('/plain/kept').expect(409);
    await served.http.post('/plain/joined/lost').expect(409);
    expect(await stored(served)).toEqual(['kept']);
    expect(served.liveScopes()).toBe(0);
  });

  it('nothing is left of requests that no route answers', async () => {
    const served = await start(['/health']);
    await served.http.get('/nowhere').expect(404);
    await served.http.delete('/health').expect(404);
    await served.http.options('/notes');
  });
});
