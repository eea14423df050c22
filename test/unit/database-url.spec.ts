/** Database URLs: SQLAlchemy's form as TypeORM's options, and what is refused without telling the password. */
import { inspect } from 'node:util';
import { createEngine, InvalidOptionError } from 'nestjs-scoped-session';
import { describe, expect, it } from 'vitest';
import { dataSourceOptionsFromUrl } from '../../src/engine/database-url.js';

const refusal = (url: string): Error => {
  try {
    dataSourceOptionsFromUrl(url);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidOptionError);
    return error as Error;
  }
  throw new Error(`${url} was not refused`);
};

describe('a server URL', () => {
  it.each([
    ['mysql', 'mysql'],
    ['mysql+mysql2', 'mysql'],
    ['mariadb', 'mariadb'],
    ['mariadb+mysql2', 'mariadb'],
    ['postgres', 'postgres'],
    ['postgresql', 'postgres'],
    ['postgresql+pg', 'postgres'],
  ])('%s:// is TypeORM’s driver %s', (scheme, type) => {
    expect(dataSourceOptionsFromUrl(`${scheme}://ann:secret@db.example:1234/bank`)).toEqual({
      type,
      host: 'db.example',
      port: 1234,
      username: 'ann',
      password: 'secret',
      database: 'bank',
    });
  });

  it('leaves out what is not given; the host is then the local one', () => {
    expect(dataSourceOptionsFromUrl('mysql:///bank')).toEqual({
      type: 'mysql',
      host: 'localhost',
      database: 'bank',
    });
    expect(dataSourceOptionsFromUrl('postgresql://ann@db/bank')).toEqual({
      type: 'postgres',
      host: 'db',
      username: 'ann',
      database: 'bank',
    });
  });

  it('tells an empty password from none', () => {
    expect(dataSourceOptionsFromUrl('mysql://root:@db/bank')).toMatchObject({
      username: 'root',
      password: '',
    });
    expect(dataSourceOptionsFromUrl('mysql://root@db/bank')).not.toHaveProperty('password');
  });

  it('takes a colon in the password as it is', () => {
    expect(dataSourceOptionsFromUrl('mysql://ann:a:b:c@db/bank')).toMatchObject({ password: 'a:b:c' });
  });

  it('reads percent-encoding in user, password, host and database', () => {
    const url = `postgresql://${encodeURIComponent('a@n/n:é')}:${encodeURIComponent('p@s/s?#%:')}@h%6Fst/${encodeURIComponent('my db/1?')}`;
    expect(dataSourceOptionsFromUrl(url)).toMatchObject({
      username: 'a@n/n:é',
      password: 'p@s/s?#%:',
      host: 'host',
      database: 'my db/1?',
    });
  });

  it('takes an IPv6 address in brackets', () => {
    expect(dataSourceOptionsFromUrl('mysql://ann@[::1]:3307/bank')).toMatchObject({
      host: '::1',
      port: 3307,
    });
    expect(dataSourceOptionsFromUrl('mysql://[fe80::1]/bank')).toMatchObject({ host: 'fe80::1' });
  });

  it('reads the query keys of MySQL and MariaDB', () => {
    const query = 'charset=utf8mb4&timezone=%2B02%3A00&unix_socket=%2Frun%2Fm.sock&connect_timeout=5';
    for (const scheme of ['mysql', 'mariadb']) {
      expect(dataSourceOptionsFromUrl(`${scheme}://db/bank?${query}`)).toMatchObject({
        charset: 'utf8mb4',
        timezone: '+02:00',
        socketPath: '/run/m.sock',
        connectTimeout: 5_000,
      });
    }
  });

  it('reads the query keys of PostgreSQL', () => {
    const query = 'host=/run/postgresql&application_name=the%20bank&connect_timeout=10';
    expect(dataSourceOptionsFromUrl(`postgresql:///bank?${query}`)).toMatchObject({
      host: '/run/postgresql',
      applicationName: 'the bank',
      connectTimeoutMS: 10_000,
    });
  });

  it.each([
    ['disable', false],
    ['require', { rejectUnauthorized: false }],
    ['verify-full', { rejectUnauthorized: true }],
  ])('reads sslmode=%s', (mode, ssl) => {
    expect(dataSourceOptionsFromUrl(`postgresql://db/bank?sslmode=${mode}`)).toMatchObject({ ssl });
  });

  it.each(['prefer', 'toString', ''])('refuses sslmode=%s', (mode) => {
    expect(refusal(`postgresql://db/bank?sslmode=${mode}`).message).toContain(
      'must be one of disable, require, verify-full',
    );
  });

  it.each(['mysql://db', 'mysql://db/', 'postgresql://ann:secret@db:5432', 'mariadb://db/?charset=utf8mb4'])(
    'refuses a URL without a database: %s',
    (url) => {
      expect(refusal(url).message).toContain('names no database: add it after the host');
    },
  );

  it.each([
    'mysql://db:0/bank',
    'mysql://db:65536/bank',
    'mysql://db:33a/bank',
    'mysql://db:/bank',
    'mysql://db:-1/b',
  ])('refuses a port that is none: %s', (url) => {
    expect(refusal(url).message).toContain('must be a number from 1 to 65535');
  });

  it('refuses an unknown query key and names the known ones', () => {
    expect(refusal('mysql://db/bank?pool_size=5').message).toBe(
      'A mysql URL knows no query key "pool_size". It knows: charset, timezone, unix_socket, connect_timeout.',
    );
    expect(refusal('mysql://db/bank?__proto__=1').message).toContain('knows no query key "__proto__"');
    expect(refusal('postgresql://db/bank?charset=utf8').message).toContain('knows no query key "charset"');
  });

  it('refuses a query key that is given twice', () => {
    expect(refusal('mysql://db/bank?charset=utf8&charset=utf8mb4').message).toContain('is given twice');
  });

  it.each(['0', '-1', '1.5', 'soon', '', '1e3', '9999999'])('refuses connect_timeout=%s', (value) => {
    expect(refusal(`mysql://db/bank?connect_timeout=${value}`).message).toContain(
      'a whole number of seconds',
    );
  });
});

describe('a SQLite URL', () => {
  it.each(['sqlite+sqljs:///:memory:', 'sqlite+sqljs://', 'sqlite+sqljs:///'])('%s is in memory', (url) => {
    expect(dataSourceOptionsFromUrl(url)).toEqual({ type: 'sqljs' });
  });

  it('names a file after three slashes, an absolute one after four', () => {
    expect(dataSourceOptionsFromUrl('sqlite+sqljs:///data/bank.db')).toEqual({
      type: 'sqljs',
      location: 'data/bank.db',
      autoSave: true,
    });
    expect(dataSourceOptionsFromUrl('sqlite+sqljs:////srv/a%20b@c.db')).toMatchObject({
      location: '/srv/a b@c.db',
    });
  });

  it('can be for better-sqlite3', () => {
    expect(dataSourceOptionsFromUrl('sqlite+better-sqlite3:///bank.db')).toEqual({
      type: 'better-sqlite3',
      database: 'bank.db',
    });
    expect(dataSourceOptionsFromUrl('sqlite+better-sqlite3:///:memory:')).toMatchObject({
      database: ':memory:',
    });
  });

  it('takes the driver that is installed when it names none', () => {
    expect(['sqljs', 'better-sqlite3']).toContain(dataSourceOptionsFromUrl('sqlite:///:memory:').type);
  });

  it.each(['sqlite://bank.db', 'sqlite://ann@/bank.db', 'sqlite://host:1/bank.db'])(
    'refuses a host or user: %s',
    (url) => {
      expect(refusal(url).message).toContain('three slashes before the file');
    },
  );

  it('knows no query key', () => {
    expect(refusal('sqlite:///bank.db?mode=ro').message).toContain(
      'knows no query key "mode". It knows: none.',
    );
  });
});

describe('a URL that is none', () => {
  it.each([
    '',
    'bank',
    'mysql',
    'mysql:/db/bank',
    '//db/bank',
    'oracle://db/bank',
    'MYSQL://db/bank',
    'toString://x/y',
  ])('is refused with the schemes that are known: "%s"', (url) => {
    expect(refusal(url).message).toMatch(
      /must begin with one of mysql, mysql\+mysql2, mariadb.*sqlite\+sqljs\.$/,
    );
  });

  it.each([
    'mysql://an%n:x@db/bank',
    'mysql://ann:%zz@db/bank',
    'mysql://ann:x@d%b/bank',
    'mysql://ann:x@db/ba%nk',
    'mysql://ann:%ff@db/bank',
  ])('is refused when it is not percent-encoded: %s', (url) => {
    expect(refusal(url).message).toContain('write % as %25, @ as %40, / as %2F');
  });
});

describe('the password of a URL', () => {
  const SECRET = 'hunter2';

  it.each([
    // broken elsewhere
    `mysql://ann:${SECRET}@db:port/bank`,
    `mysql://ann:${SECRET}@db`,
    `mysql://ann:${SECRET}@db/bank?nope=1`,
    `mysql://ann:${SECRET}@db/bank?connect_timeout=${SECRET}`,
    `mysql://ann:${SECRET}%@db/bank`,
    `oracle://ann:${SECRET}@db/bank`,
    `sqlite://ann:${SECRET}@/bank.db`,
    // not encoded, so that a part of it looks like something else
    `mysql://ann:a@${SECRET}@db/bank`,
    `mysql://ann:${SECRET}@${SECRET}@db/bank`,
    `mysql://ann:a/${SECRET}@db/bank`,
    `mysql://ann:1/${SECRET}@db/bank`,
    `mysql://ann:a@b/${SECRET}@db/bank`,
    `mysql://ann:1/b?${SECRET}@db/bank`,
    `mysql://ann:1/b?${SECRET}=1@db/bank`,
    `mysql://ann:a@b/c?${SECRET}@db/bank`,
    `mysql://ann:${SECRET}#@db:x/bank`,
  ])('is in no message: %s', (url) => {
    const error = refusal(url);
    expect(inspect(error, { depth: 5 }).replaceAll(url, '')).not.toContain(SECRET);
    expect(JSON.stringify(error)).not.toContain(SECRET);
  });

  it('is in neither inspect nor JSON of the engine', async () => {
    const engine = createEngine(`mysql+mysql2://ann:${SECRET}@127.0.0.1:1/bank`);
    expect(engine.dataSource.options).toMatchObject({ password: SECRET });
    for (const shown of [inspect(engine), inspect({ engine }), JSON.stringify({ engine })])
      expect(shown).not.toContain(SECRET);
    expect(JSON.parse(JSON.stringify(engine))).toEqual({
      type: 'mysql',
      database: 'bank',
      limit: 10,
      total: 0,
      idle: 0,
      active: 0,
      waiting: 0,
    });
    await engine.dispose();
  });
});
