/** Bugs of other libraries that come with a version of what they stand on; docs/recipes.md has their numbers. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { useDatabase } from '../support/databases.js';
import { ours, texts } from '../support/plain-and-ours.js';

const require = createRequire(import.meta.url);

interface Package {
  readonly version: string;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

const read = (path: string): Package => JSON.parse(readFileSync(path, 'utf8')) as Package;
const { peerDependencies } = read(require.resolve('../../package.json'));

describe('5.C.10: what it can be installed with', () => {
  it.each(['@nestjs/common', '@nestjs/core', 'typeorm', 'rxjs', 'mysql2', 'pg'])(
    'has the tested %s',
    (name) => {
      const { version } = read(`${process.cwd()}/node_modules/${name}/package.json`);
      const [major] = version.split('.');
      expect(peerDependencies[name]).toMatch(new RegExp(`(^|[^.\\d])\\^${major}\\.`));
    },
  );
});

describe('5.F.3: TypeORM 1', () => {
  const database = useDatabase('sqljs');

  it('is what the tests run on, and a unit of work is one there', async () => {
    const { session, dataSource } = await ours(database);
    await session.run(() => session.execute("INSERT INTO note (text) VALUES ('kept')"));
    expect(await texts(dataSource)).toEqual(['kept']);
  });
});
