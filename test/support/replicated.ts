/** A DataSource with a replica that never catches up: another database on the same server, and no clock decides about it. */
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { DataSource, type DataSourceOptions } from 'typeorm';
import type { TestDatabase } from './databases.js';
import { Note } from './note.js';

export interface StaleReplica {
  /** TypeORM's options: the database as the primary, the other one as its replica, `replicas` times. */
  options(more?: Record<string, unknown>, replicas?: number): DataSourceOptions;
}

const TABLE = {
  mariadb: 'CREATE TABLE note (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(100) NOT NULL UNIQUE)',
  postgres: 'CREATE TABLE note (id SERIAL PRIMARY KEY, text VARCHAR(100) NOT NULL UNIQUE)',
} as const;

/** The text of the one row that each of the two has; the primary's and the replica's differ. */
export const [ON_PRIMARY, ON_REPLICA] = ['primary', 'replica'] as const;

export function useStaleReplica(database: TestDatabase): StaleReplica {
  const kind = database.kind as keyof typeof TABLE;
  const primary = (): Address => database.options() as unknown as Address;
  const replica = (): Address => ({ ...primary(), database: `${database.user}_old` });
  const options = (more: object = {}, replicas = 1): DataSourceOptions => ({
    type: kind,
    // What tells applications under test that it is this one.
    database: database.user,
    entities: [Note],
    ...(kind === 'postgres' && { installExtensions: false }),
    replication: { master: primary(), slaves: Array.from({ length: replicas }, replica) },
    ...more,
  });

  beforeAll(async () => {
    const name = `${database.user}_old`;
    if (kind === 'postgres') await database.ask(`CREATE DATABASE ${name} OWNER ${database.user}`);
    else {
      await database.ask(`CREATE DATABASE ${name}`);
      await database.ask(`GRANT ALL ON ${name}.* TO ${database.user}`);
    }
    for (const [place, text] of [
      [primary(), ON_PRIMARY],
      [replica(), ON_REPLICA],
    ] as const)
      await asOwner(kind, place, [TABLE[kind], `INSERT INTO note (text) VALUES ('${text}')`]);
  });
  beforeEach(() => asOwner(kind, primary(), [`DELETE FROM note WHERE text <> '${ON_PRIMARY}'`]));
  afterAll(() =>
    database.ask(`DROP DATABASE ${database.user}_old${kind === 'postgres' ? ' WITH (FORCE)' : ''}`),
  );
  return { options };
}

interface Address {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly database: string;
}

async function asOwner(
  kind: keyof typeof TABLE,
  place: Address,
  statements: readonly string[],
): Promise<void> {
  const dataSource = await new DataSource({
    ...place,
    type: kind,
    installExtensions: false,
  }).initialize();
  for (const sql of statements) await dataSource.query(sql);
  await dataSource.destroy();
}
