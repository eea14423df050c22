/** Tests that leave the database as they found it. */
import type { INestApplication } from '@nestjs/common';
import type { Session } from 'nestjs-scoped-session';
import { withSession } from 'nestjs-scoped-session/testing';

/** Runs a test of services in one transaction, which is rolled back at its end: `it('…', rolledBack(app, async () => …))`. */
export function rolledBack(app: () => INestApplication, test: (session: Session) => Promise<void>) {
  return () =>
    withSession(app(), async (session) => {
      await test(session); // services that are called in it find this session, and commit nothing
      session.setRollbackOnly();
    });
}

/** For tests over HTTP: `ScopedSessionModule.forRoot(forTests)`. Each request answers as ever, and stores nothing. */
export const forTests = { rollbackOn: () => true };
