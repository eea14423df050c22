/** F23: a server whose certificate is not to be trusted stops the boot, and no key is told to anybody. */
import { inspect } from 'node:util';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ScopedSession, ScopedSessionModule } from 'nestjs-scoped-session';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appModule, boot, Hearing } from '../support/boot.js';
import { Certificate, opensslProgram } from '../support/certificate.js';
import { useFaultyDatabase } from '../support/faulty-database.js';

if (opensslProgram === undefined) console.warn('F23, certificates, is not tested: there is no openssl.');

describe.skipIf(opensslProgram === undefined)('a server that shows a certificate', () => {
  let ofServer: Certificate;
  let ofClient: Certificate;
  beforeAll(() => {
    ofServer = new Certificate('another.host');
    ofClient = new Certificate('client');
  });
  afterAll(() => {
    ofServer.remove();
    ofClient.remove();
  });
  const database = useFaultyDatabase(() => [
    `--ssl-cert=${ofServer.certificateFile}`,
    `--ssl-key=${ofServer.keyFile}`,
  ]);

  const imports = (ssl: object, password: string) => [
    TypeOrmModule.forRoot({ ...database.options({ ssl, password }), retryAttempts: 1 }),
    ScopedSessionModule.forRoot(),
  ];

  it.each([
    ['nobody known has signed', () => ({ rejectUnauthorized: true }), /self-signed certificate/],
    [
      'is made out to another host',
      () => ({ ca: ofServer.text, verifyIdentity: true }),
      /does not match certificate's altnames/,
    ],
  ])('that %s stops the boot of an application that verifies it', async (_what, verify, reason) => {
    const heard = new Hearing();
    const ssl = { key: ofClient.key, cert: ofClient.text, ...verify() };
    const booting = NestFactory.createApplicationContext(
      appModule({ imports: imports(ssl, 'canary-password') }),
      { logger: heard, abortOnError: false },
    );
    const error: unknown = await booting.catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: 'HANDSHAKE_SSL_ERROR' });
    expect((error as Error).message).toMatch(reason);
    const said = inspect([error, heard], { depth: 10, maxStringLength: null });
    expect(said).toMatch(reason);
    const [, line] = ofClient.key.split('\n');
    for (const secret of ['PRIVATE KEY', line!, 'canary-password']) expect(said).not.toContain(secret);
  });

  it('that is trusted encrypts every connection', async () => {
    const { app } = await boot(database, { imports: imports({ ca: ofServer.text }, '') });
    const session = app.get(ScopedSession);
    const [row] = await session.run(() =>
      session.query<{ Value: string }[]>("SHOW STATUS LIKE 'Ssl_cipher'"),
    );
    expect(row!.Value).toMatch(/^TLS_/);
  });
});
