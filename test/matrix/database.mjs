/** The MySQL-protocol server of the tests, and a database on it for each consumer. */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { createConnection } from 'mysql2/promise';
import { runnerImport } from 'vite';

/** @returns {Promise<{ withDatabase<T>(fn: (url: string) => Promise<T>): Promise<T>, stop(): Promise<void> }>} */
export async function startServer() {
  // Written in TypeScript, as the tests are that share it.
  const source = fileURLToPath(new URL('../support/mariadb-server.ts', import.meta.url));
  const { module } = await runnerImport(source, { configFile: false, logLevel: 'error' });
  const { address, stop } = await module.mysqlServer();
  return { withDatabase: (fn) => withDatabase(address, fn), stop };
}

async function withDatabase(address, fn) {
  const name = `matrix_${randomBytes(6).toString('hex')}`;
  const { host, port, user, password } = address;
  const admin = await createConnection({ host, port, user, password });
  try {
    await admin.query(`CREATE DATABASE ${name}`);
    try {
      return await fn(
        `mysql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}:${port}/${name}`,
      );
    } finally {
      await admin.query(`DROP DATABASE ${name}`);
    }
  } finally {
    await admin.end();
  }
}
