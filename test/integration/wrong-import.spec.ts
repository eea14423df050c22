/** `@Session()` imported from @nestjs/common by mistake: one warning for each handler, and none where it is meant. */
import { Controller, Get, Session as HttpSession } from '@nestjs/common';
import type { INestApplication } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ScopedSessionModule, Session, SessionOptions } from 'nestjs-scoped-session';
import { describe, expect, it } from 'vitest';
import { serve, type Served, withNotes } from '../support/boot.js';
import { useDatabase } from '../support/databases.js';
import { PLATFORMS, type Platform } from '../support/test-app.js';

const database = useDatabase('sqljs');

@Controller('wrong')
class WrongController {
  @Get('first')
  first(@HttpSession() session: { execute?: unknown } | undefined): object {
    return { found: session === undefined ? 'nothing' : 'something' };
  }

  @Get('second')
  second(@Session() right: Session, @HttpSession() wrong: unknown): object {
    return { found: wrong === undefined ? 'nothing' : 'something', right: right.isActive };
  }

  @Get('disabled')
  @SessionOptions({ enabled: false })
  disabled(@HttpSession() session: unknown): object {
    return { found: session === undefined ? 'nothing' : 'something' };
  }
}

@Controller('right')
class RightController {
  @Get()
  right(@Session() session: Session): object {
    return { found: session.isActive };
  }

  @Get('none')
  none(): string {
    return 'no parameter';
  }
}

const start = (platform: Platform, configure?: (app: INestApplication) => void): Promise<Served> =>
  serve(
    database,
    {
      imports: [TypeOrmModule.forRoot(withNotes(database)), ScopedSessionModule.forRoot()],
      controllers: [WrongController, RightController],
    },
    platform,
    configure,
  );

const warnings = ({ heard }: Served): string[] => heard.of('warn', '@Session() of @nestjs/common');

describe.each(PLATFORMS)('%s', (platform) => {
  it('warns once for each handler, naming it and the right import', async () => {
    const served = await start(platform);
    for (let round = 0; round < 3; round += 1) {
      await served.http.get('/wrong/first').expect(200, { found: 'nothing' });
      await served.http.get('/wrong/second').expect(200, { found: 'nothing', right: true });
    }
    expect(warnings(served)).toEqual([
      'WrongController.first: @Session() of @nestjs/common is the HTTP session, and there is none. Import Session (or ' +
        'DbSession) from nestjs-scoped-session.',
      expect.stringContaining('WrongController.second: '),
    ]);
  });

  it('warns of a handler without a scope too, for it would hardly want the HTTP session either', async () => {
    const served = await start(platform);
    await served.http.get('/wrong/disabled').expect(200, { found: 'nothing' });
    expect(warnings(served)).toHaveLength(1);
  });

  it('does not warn where requests have an HTTP session', async () => {
    const served = await start(platform, (app) => withHttpSession(app, platform));
    await served.http.get('/wrong/first').expect(200, { found: 'something' });
    await served.http.get('/wrong/second').expect(200, { found: 'something', right: true });
    expect(warnings(served)).toEqual([]);
  });

  it('does not warn of handlers that have the right one, or none', async () => {
    const served = await start(platform);
    await served.http.get('/right').expect(200, { found: true });
    await served.http.get('/right/none').expect(200);
    expect(served.heard.of('warn')).toEqual([]);
  });
});

/** What express-session and @fastify/session do, as far as anybody here looks. */
function withHttpSession(app: INestApplication, platform: Platform): void {
  if (platform === 'fastify') {
    const fastify = app.getHttpAdapter().getInstance() as {
      addHook(name: 'onRequest', hook: (request: object, reply: unknown, done: () => void) => void): void;
    };
    fastify.addHook('onRequest', (request, _reply, done) => {
      Object.assign(request, { session: { cookie: {} } });
      done();
    });
    return;
  }
  app.use((request: object, _response: unknown, next: () => void) => {
    Object.assign(request, { session: { cookie: {} } });
    next();
  });
}
