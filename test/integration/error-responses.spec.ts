/** What errors tell an HTTP client: a status and a code it can act on, and nothing of the inside. */
import {
  type ArgumentsHost,
  Catch,
  ConflictException,
  Controller,
  type ExceptionFilter,
  Get,
  HttpException,
  Inject,
  Injectable,
  Module,
  type ModuleMetadata,
  Post,
  type Provider,
  UseFilters,
} from '@nestjs/common';
import { APP_FILTER, BaseExceptionFilter, HttpAdapterHost } from '@nestjs/core';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import {
  currentScope,
  NoActiveScopeError,
  PoolTimeoutError,
  ScopedSession,
  ScopedSessionError,
  ScopedSessionModule,
  type ScopedSessionModuleOptions,
  Session,
  SessionOptions,
} from 'nestjs-scoped-session';
import { QueryFailedError, Repository } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { serve, type Served, withNotes } from '../support/boot.js';
import { onEach, type TestDatabase } from '../support/databases.js';
import { Note } from '../support/note.js';
import { PLATFORMS, type Platform } from '../support/test-app.js';
import { signal } from '../support/wait-until.js';

let gate = signal();
let arrived = signal();

@Controller()
class FailingController {
  constructor(private readonly session: ScopedSession) {}

  @Get('holds')
  async holds(@Session() session: Session): Promise<string> {
    await session.execute('SELECT 1');
    arrived.resolve();
    await gate.promise;
    return 'done';
  }

  @Get('wants')
  async wants(@Session() session: Session): Promise<unknown> {
    return session.scalar('SELECT 1');
  }

  @Get('notes/first')
  async first(@Session() session: Session): Promise<object> {
    return (await session.execute('SELECT text FROM note')).one();
  }

  @Get('never')
  @SessionOptions({ timeoutMs: 50 })
  async never(@Session() session: Session): Promise<never> {
    await session.execute('SELECT 1');
    return new Promise(() => undefined);
  }

  @Get('statement')
  async statement(@Session() session: Session): Promise<unknown> {
    return session.execute('SELECT secret_column FROM secret_table WHERE pin = :pin', { pin: 's3cret' });
  }

  @Get('misused')
  async misused(): Promise<void> {
    await this.session.commit();
    await this.session.beginNested(async () => this.session.commit());
  }

  @Post('conflict')
  async conflict(@Session() session: Session): Promise<never> {
    await session.execute('INSERT INTO note (text) VALUES (:text)', { text: 'lost' });
    throw new ConflictException('that is taken');
  }

  @Post('own-status')
  async ownStatus(): Promise<never> {
    throw new TeapotException();
  }
}

class TeapotException extends HttpException {
  constructor() {
    super({ tea: true }, 418);
  }
}

/** What user's own filters were given. */
const caught: unknown[] = [];

/** A filter of the application for everything, such as one that reports errors. */
@Catch()
class ReportingFilter extends BaseExceptionFilter {
  override catch(error: unknown, host: ArgumentsHost): void {
    caught.push(error);
    super.catch(error, host);
  }
}

@Injectable()
@Catch(PoolTimeoutError)
class BusyFilter implements ExceptionFilter<PoolTimeoutError> {
  constructor(@Inject(HttpAdapterHost) private readonly host: HttpAdapterHost) {}

  catch(error: PoolTimeoutError, host: ArgumentsHost): void {
    caught.push(error);
    const { httpAdapter } = this.host;
    httpAdapter.reply(host.switchToHttp().getResponse<object>(), { busy: true }, 529);
  }
}

@Controller('own')
@UseFilters(BusyFilter)
class ControllerWithFilter {
  @Get('wants')
  async wants(@Session() session: Session): Promise<unknown> {
    return session.scalar('SELECT 1');
  }
}

/** Looks at the session, and writes, after the request has failed. */
@Injectable()
@Catch(ConflictException)
class WritingFilter extends BaseExceptionFilter {
  constructor(
    private readonly session: ScopedSession,
    @InjectRepository(Note) private readonly notes: Repository<Note>,
  ) {
    super();
  }

  override catch(error: ConflictException, host: ArgumentsHost): void {
    caught.push(currentScope());
    try {
      caught.push(this.session.info);
    } catch (refused) {
      caught.push(refused);
    }
    void this.notes.insert({ text: 'by the filter' }).then(() => super.catch(error, host));
  }
}

const start = (
  database: TestDatabase,
  platform: Platform,
  {
    session,
    configure,
    ...more
  }: ModuleMetadata & {
    session?: ScopedSessionModuleOptions;
    configure?: Parameters<typeof serve>[3];
  } = {},
): Promise<Served> =>
  serve(
    database,
    {
      ...more,
      imports: [
        TypeOrmModule.forRoot(withNotes(database, { poolSize: 1 })),
        TypeOrmModule.forFeature([Note]),
        ScopedSessionModule.forRoot({ poolTimeoutMs: 20, gateTimeoutMs: 20, ...session }),
        ...(more.imports ?? []),
      ],
      controllers: [FailingController, ControllerWithFilter],
    },
    platform,
    configure,
  );

/** Asks while another request has the only connection. */
async function whileBusy<T>({ http }: Served, ask: () => Promise<T>): Promise<T> {
  const holder = http.get('/holds').then(({ status }) => status);
  await arrived.promise;
  try {
    return await ask();
  } finally {
    gate.resolve();
    expect(await holder).toBe(200);
  }
}

beforeEach(() => {
  gate = signal();
  arrived = signal();
  caught.length = 0;
});

onEach(['mariadb', 'sqljs'], (database) => {
  describe.each(PLATFORMS)('%s', (platform) => {
    it('F72: no connection in time is 503, with a time to try again', async () => {
      const served = await start(database, platform);
      const { body, headers, text } = await whileBusy(served, async () =>
        served.http.get('/wants').expect(503),
      );
      expect(body).toEqual({ statusCode: 503, message: 'Service Unavailable', error: 'SS_ERR_POOL_TIMEOUT' });
      expect(headers['retry-after']).toBe('1');
      expect(text).not.toMatch(/limit|holder|FailingController/);
      await served.http.get('/wants').expect(200);
    });

    it('a row that is not there is 404', async () => {
      const { http } = await start(database, platform);
      const { body, headers } = await http.get('/notes/first').expect(404);
      expect(body).toEqual({ statusCode: 404, message: 'Not Found', error: 'SS_ERR_NO_RESULT_FOUND' });
      expect(headers).not.toHaveProperty('retry-after');
    });

    it('a unit of work that took too long is 503, without an invitation to do it again', async () => {
      const { http } = await start(database, platform);
      const { body, headers } = await http.get('/never').expect(503);
      expect(body).toEqual({
        statusCode: 503,
        message: 'Service Unavailable',
        error: 'SS_ERR_SCOPE_TIMEOUT',
      });
      expect(headers).not.toHaveProperty('retry-after');
    });

    it('a statement that fails is 500 and shows no SQL', async () => {
      const { http, heard } = await start(database, platform);
      const { body, text } = await http.get('/statement').expect(500);
      expect(body).toEqual({ statusCode: 500, message: 'Internal server error' });
      expect(text).not.toMatch(/secret|SELECT/);
      expect(heard.of('error')).toHaveLength(1);
    });

    it('a mistake of the program is 500 and shows nothing, but is logged', async () => {
      const { http, heard } = await start(database, platform);
      const { body } = await http.get('/misused').expect(500);
      expect(body).toEqual({ statusCode: 500, message: 'Internal server error' });
      expect(
        heard.of('error', "commit() can't be called here; beginNested(fn) is already in progress"),
      ).toHaveLength(1);
    });

    it('HTTP exceptions are answered as they are', async () => {
      const { http } = await start(database, platform);
      const { body } = await http.post('/conflict').expect(409);
      expect(body).toMatchObject({ message: 'that is taken' });
      await http.post('/own-status').expect(418, { tea: true });
    });

    const places: Record<string, (filter: typeof ReportingFilter) => Parameters<typeof start>[2]> = {
      'in AppModule (APP_FILTER)': (filter) => ({ providers: [appFilter(filter)] }),
      'in a feature module that is imported later (APP_FILTER)': (filter) => {
        class FeatureModule {}
        Module({ providers: [appFilter(filter)] })(FeatureModule);
        return { imports: [FeatureModule] };
      },
      'with app.useGlobalFilters': (filter) => ({
        configure: (app) => app.useGlobalFilters(new filter(app.get(HttpAdapterHost).httpAdapter)),
      }),
    };

    it.each(Object.entries(places))(
      'a filter of the application %s sees the original error',
      async (_, place) => {
        const served = await start(database, platform, place(ReportingFilter));
        await whileBusy(served, async () => served.http.get('/wants').expect(500));
        await served.http.get('/statement').expect(500);
        await served.http.get('/notes/first').expect(500);
        expect(caught).toHaveLength(3);
        expect(caught[0]).toBeInstanceOf(PoolTimeoutError);
        expect(caught[1]).toBeInstanceOf(QueryFailedError);
        expect(caught[2]).toBeInstanceOf(ScopedSessionError);
      },
    );

    it('a filter of a controller goes before ours, and sees the original error', async () => {
      const served = await start(database, platform, { providers: [BusyFilter] });
      await whileBusy(served, async () => served.http.get('/own/wants').expect(529, { busy: true }));
      await served.http.get('/own/wants').expect(200);
      expect(caught[0]).toBeInstanceOf(PoolTimeoutError);
      expect((caught[0] as PoolTimeoutError).message).toContain('limit=1');
    });

    it('a filter is outside the unit of work, which is rolled back by then: it writes plainly', async () => {
      const { http, app } = await start(database, platform, { providers: [appFilter(WritingFilter)] });
      await http.post('/conflict').expect(409);
      expect(caught).toEqual([undefined, expect.any(NoActiveScopeError)]);
      const { dataSource } = app.get(ScopedSession).sessionFactory.engine!;
      expect(await dataSource.getRepository(Note).find()).toMatchObject([{ text: 'by the filter' }]);
    });

    it('rollbackOn decides what is undone, not what is answered', async () => {
      const seen: unknown[] = [];
      const rollbackOn = (status: number | undefined, error: unknown): boolean => {
        seen.push(status, error);
        return !(error instanceof ConflictException);
      };
      const { http, app } = await start(database, platform, { session: { rollbackOn } });
      await http.post('/conflict').expect(409);
      expect(seen).toEqual([409, expect.any(ConflictException)]);
      const { dataSource } = app.get(ScopedSession).sessionFactory.engine!;
      expect(await dataSource.getRepository(Note).count()).toBe(1);
    });
  });
});

function appFilter(useClass: new (...given: never[]) => ExceptionFilter): Provider {
  return { provide: APP_FILTER, useClass };
}
