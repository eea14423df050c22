/** `@Session()`: the request's session arrives, whatever compiled the controller and whatever pipes look at it. */
import { fileURLToPath } from 'node:url';
import * as nestCommon from '@nestjs/common';
import {
  Controller,
  Get,
  type INestApplication,
  Injectable,
  Param,
  Post,
  UseGuards,
  ValidationPipe,
} from '@nestjs/common';
import * as swagger from '@nestjs/swagger';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { TypeOrmModule } from '@nestjs/typeorm';
import * as classValidator from 'class-validator';
import * as ours from 'nestjs-scoped-session';
import {
  DbSession,
  getScopedSessionToken,
  ScopedSession,
  ScopedSessionModule,
  Session,
  SessionBase,
  SessionOptions,
} from 'nestjs-scoped-session';
import { beforeAll, describe, expect, expectTypeOf, it, vi } from 'vitest';
import * as fixture from '../fixtures/session-parameters.js';
import { serve, type Served, withNotes } from '../support/boot.js';
import { COMPILERS, load } from '../support/compile.js';
import { useDatabase } from '../support/databases.js';
import { PLATFORMS, type Platform } from '../support/test-app.js';

const database = useDatabase('sqljs');
const mariadb = useDatabase('mariadb');

const FIXTURE = fileURLToPath(new URL('../fixtures/session-parameters.ts', import.meta.url));
const MODULES = {
  '@nestjs/common': nestCommon,
  '@nestjs/swagger': swagger,
  'class-validator': classValidator,
  'nestjs-scoped-session': ours,
};

type Fixture = typeof fixture;
const compiled = (compile: (file: string) => string): Fixture => load<Fixture>(compile(FIXTURE), MODULES);

function serveController(
  controller: new (...given: never[]) => object,
  configure?: (app: INestApplication) => unknown,
  platform?: Platform,
): Promise<Served> {
  const imports = [TypeOrmModule.forRoot(withNotes(database)), ScopedSessionModule.forRoot()];
  return serve(database, { imports, controllers: [controller] }, platform, configure);
}

/** Every option that decides what a ValidationPipe does with a parameter. */
const PIPE_OPTIONS = ['transform', 'whitelist', 'forbidUnknownValues', 'validateCustomDecorators'] as const;
const PIPES = Array.from({ length: 2 ** PIPE_OPTIONS.length }, (_, bits) =>
  Object.fromEntries(PIPE_OPTIONS.map((option, index) => [option, (bits & (2 ** index)) !== 0])),
);

const HANDLERS = ['by-interface', 'by-alias', 'by-class', 'twice'] as const;

describe.each(['vitest', ...Object.keys(COMPILERS)] as const)('compiled by %s', (compiler) => {
  let controllers: Fixture;

  beforeAll(() => {
    controllers = compiler === 'vitest' ? fixture : compiled(COMPILERS[compiler as keyof typeof COMPILERS]);
  });

  it('a session’s parameter has the type Object for Nest, and its neighbours keep theirs', () => {
    const { AmountDto, ParametersController } = controllers;
    const typesOf = (handler: keyof fixture.ParametersController): unknown =>
      Reflect.getMetadata('design:paramtypes', ParametersController.prototype, handler);
    expect(typesOf('byInterface')).toEqual([AmountDto, Object, String]);
    expect(typesOf('byAlias')).toEqual([AmountDto, Object, String]);
    expect(typesOf('byClass')).toEqual([AmountDto, Object, String]);
    expect(typesOf('twice')).toEqual([Object, AmountDto, String, Object]);
  });

  it.each(PIPES)('the session itself arrives through a ValidationPipe with %o', async (options) => {
    const { http } = await serveController(controllers.ParametersController, (app) =>
      app.useGlobalPipes(new ValidationPipe(options)),
    );
    for (const handler of HANDLERS) {
      await http.post(`/${handler}/7`).send({ cents: 5 }).expect(201, { same: true, cents: 5, id: '7' });
    }
    // The pipe still does its work on the parameters beside it.
    await http.post('/by-interface/7').send({ cents: 'five' }).expect(400);
  });

  it('Swagger’s document has the other parameters, and none for the session', async () => {
    const { app } = await serveController(controllers.ParametersController);
    const document = SwaggerModule.createDocument(app, new DocumentBuilder().build());
    for (const handler of HANDLERS) {
      const { parameters = [], requestBody } = document.paths[`/${handler}/{id}`]!.post!;
      expect(parameters).toEqual([{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }]);
      expect(requestBody).toMatchObject({
        content: { 'application/json': { schema: { $ref: '#/components/schemas/AmountDto' } } },
      });
    }
    expect(Object.keys(document.components?.schemas ?? {})).toEqual(['AmountDto']);
  });
});

it('Session is one name for the decorator and for the type, and DbSession is another for both', () => {
  expect(DbSession).toBe(Session);
  expectTypeOf<DbSession>().toEqualTypeOf<Session>();
  expectTypeOf<SessionBase>().toExtend<Session>();
  expectTypeOf(Session()).toEqualTypeOf<ParameterDecorator>();
});

@Injectable()
class Services {
  constructor(readonly session: ScopedSession) {}
}

@Injectable()
class RememberingGuard {
  constructor(private readonly session: ScopedSession) {}

  canActivate(): boolean {
    this.session.info['guard'] = this.session.current();
    return true;
  }
}

@Controller()
class SameController {
  constructor(private readonly services: Services) {}

  @Get('same')
  @UseGuards(RememberingGuard)
  same(@Session() session: Session, @DbSession() again: DbSession): object {
    return {
      service: session === this.services.session.current(),
      guard: session === session.info['guard'],
      again: session === again,
      isSession: session instanceof SessionBase,
      isOpen: session.inTransaction(),
    };
  }

  @Get('id/:id')
  async id(@Param('id') id: string, @Session() session: Session): Promise<object> {
    session.info['id'] = id;
    // Somebody else's turn: the next request, if there is one, has its say.
    await new Promise(setImmediate);
    return { id: session.info['id'], kept: this.services.session.info['id'] };
  }

  @Post('outside')
  @SessionOptions({ enabled: false })
  outside(@Session() session: Session): object {
    return session.info;
  }

  @Get('unknown')
  unknown(@Session('nowhere') session: Session): object {
    return session.info;
  }
}

describe.each(PLATFORMS)('over %s, @Session()', (platform) => {
  it('is the session of guard and services, and has opened nothing', async () => {
    const imports = [TypeOrmModule.forRoot(mariadb.options()), ScopedSessionModule.forRoot()];
    const metadata = { imports, controllers: [SameController], providers: [Services] };
    const { app, http } = await serve(mariadb, metadata, platform);
    const { driver } = app.get(ScopedSession).sessionFactory.engine!.dataSource;
    const taken = vi.spyOn(driver, 'createQueryRunner');
    const { body } = await http.get('/same').expect(200);
    expect(body).toEqual({ service: true, guard: true, again: true, isSession: true, isOpen: false });
    expect(taken).not.toHaveBeenCalled();
  });

  it('is another one for each request', async () => {
    const imports = [TypeOrmModule.forRoot(withNotes(database)), ScopedSessionModule.forRoot()];
    const metadata = { imports, controllers: [SameController], providers: [Services] };
    const { http } = await serve(database, metadata, platform);
    const ids = Array.from({ length: 20 }, (_, index) => String(index));
    const answers = await Promise.all(ids.map((id) => http.get(`/id/${id}`).expect(200)));
    expect(answers.map(({ body }) => body as unknown)).toEqual(ids.map((id) => ({ id, kept: id })));
  });

  it('outside a scope is an error that says where scopes are', async () => {
    const imports = [TypeOrmModule.forRoot(withNotes(database)), ScopedSessionModule.forRoot()];
    const metadata = { imports, controllers: [SameController], providers: [Services] };
    const { http, heard } = await serve(database, metadata, platform);
    await http.post('/outside').expect(500);
    expect(heard.of('error', 'was used outside a scope')).toHaveLength(1);
  });

  it('of a name that no forRoot() has is an error that names those there are', async () => {
    const imports = [
      TypeOrmModule.forRoot(withNotes(database)),
      TypeOrmModule.forRoot(withNotes(database, { name: 'ledger' })),
      ScopedSessionModule.forRoot(),
      ScopedSessionModule.forRoot({ name: 'ledger' }),
    ];
    const metadata = { imports, controllers: [SameController], providers: [Services] };
    const { http, heard } = await serve(database, metadata, platform);
    await http.get('/unknown').expect(500);
    const [message] = heard.of('error', 'No forRoot() has set up a database named "nowhere"');
    expect(message).toMatch(/there are: (default, ledger|ledger, default)\./);
  });

  it('of a name is the session of that database', async () => {
    @Controller()
    class TwoController {
      constructor(private readonly services: Services) {}

      @Get('two')
      two(
        @Session() first: Session,
        @Session('ledger') second: Session,
        @Session('default') third: Session,
      ): object {
        const ledger = app.get<ScopedSession>(getScopedSessionToken('ledger'), { strict: false });
        return {
          first: first === this.services.session.current(),
          second: second === ledger.current() && first !== second,
          third: third === first,
        };
      }
    }
    const imports = [
      TypeOrmModule.forRoot(withNotes(database)),
      TypeOrmModule.forRoot(withNotes(database, { name: 'ledger' })),
      ScopedSessionModule.forRoot(),
      ScopedSessionModule.forRoot({ name: 'ledger' }),
    ];
    const metadata = { imports, controllers: [TwoController], providers: [Services] };
    const { app, http } = await serve(database, metadata, platform);
    await http.get('/two').expect(200, { first: true, second: true, third: true });
  });
});
