/** Starts the servers once for all test files; each file makes a database and a user of its own on them. */
import 'vitest'; // augmented below
import type { TestProject } from 'vitest/node';
import { mysqlServer, type ServerAddress } from './mariadb-server.js';
import { postgresServer } from './postgres-server.js';

declare module 'vitest' {
  export interface ProvidedContext {
    mysql: ServerAddress;
    postgres: ServerAddress | undefined;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [mysql, postgres] = await Promise.all([mysqlServer(), postgresServer()]);
  project.provide('mysql', mysql.address);
  project.provide('postgres', postgres?.address);
  return async () => {
    await Promise.all([mysql.stop(), postgres?.stop()]);
  };
}
