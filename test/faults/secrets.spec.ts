/** What a log, an inspector or JSON may show of errors and of our objects: never a password, never a parameter's value. */
import { inspect } from 'node:util';
import { Controller, Get, type LoggerService } from '@nestjs/common';
import { ScopedSession, Session } from 'nestjs-scoped-session';
import { QueryFailedError } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { engineOf } from '../../src/engine/index.js';
import { KINDS, onEach, SERVERS } from '../support/databases.js';
import { ours } from '../support/plain-and-ours.js';
import { startApp } from '../support/test-app.js';

const CANARY = 'canary-value';
const PASSWORD = 'canary-password';

const WRONG = 'SELECT no_such_column FROM note WHERE text = :text';

/** All that a log, or a service that collects errors, could make of it. */
const shown = (value: unknown): string =>
  [inspect(value, { depth: 10 }), JSON.stringify(value), String(value)].join('\n');

@Controller()
class WrongController {
  @Get('statement')
  async statement(@Session() session: Session): Promise<unknown> {
    return session.execute(WRONG, { text: CANARY });
  }

  @Get('swallowed')
  async swallowed(@Session() session: Session): Promise<void> {
    await session.execute('INSERT INTO note (text) VALUES (:text)', { text: CANARY });
    session.setRollbackOnly();
    await session.execute(WRONG, { text: CANARY }).catch(() => undefined);
    await session.commit();
  }
}

onEach(KINDS, (database) => {
  describe('F112: a statement that fails', () => {
    it('shows its SQL, and its parameters to nobody who does not ask for them', async () => {
      const { session } = await ours(database);
      const error: unknown = await session
        .run(() => session.execute(WRONG, { text: CANARY }))
        .catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(QueryFailedError);
      expect(shown(error)).toContain('no_such_column');
      expect(shown(error)).not.toContain(CANARY);
      expect((error as QueryFailedError).parameters).toEqual([CANARY]);
    });

    it('does not show them in what is refused after it either', async () => {
      const { session } = await ours(database);
      const error: unknown = await session
        .run(async () => {
          await session.execute('INSERT INTO note (text) VALUES (:text)', { text: CANARY });
          await session.execute(WRONG, { text: CANARY }).catch(() => undefined);
          session.setRollbackOnly();
          await session.commit();
        })
        .catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'SS_ERR_PENDING_ROLLBACK' });
      expect(shown(error)).not.toContain(CANARY);
    });

    it.each(['/statement', '/swallowed'])('shows none in the log of the application: %s', async (path) => {
      const heard: unknown[] = [];
      const hear = (...said: unknown[]): void => void heard.push(...said);
      const logger = { log: hear, warn: hear, error: hear, fatal: hear } as LoggerService;
      const { http } = await startApp(database, {
        controllers: [WrongController],
        configure: (app) => app.useLogger(logger),
      });
      await http.get(path).expect(500);
      expect(heard.length).toBeGreaterThan(0);
      expect(shown(heard)).not.toContain(CANARY);
    });
  });
});

onEach(SERVERS, (database) => {
  it('F113: nothing of ours shows the password when it is looked at', async () => {
    const { app, dataSource, session } = await startApp(database, { controllers: [WrongController] });
    const { options } = dataSource;
    // The server does not ask for one; whoever prints the options would show it.
    Object.assign(options, { password: PASSWORD });
    await session.run(async (own) => {
      await own.execute('SELECT :text', { text: CANARY });
      for (const one of [own, session, app.get(ScopedSession), engineOf(dataSource), session.registry]) {
        expect(inspect(one, { depth: 10 })).not.toMatch(/canary/);
      }
    });
    expect(JSON.stringify(engineOf(dataSource))).not.toContain('canary');
    Object.assign(options, { password: '' });
  });
});
