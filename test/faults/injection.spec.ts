/** Hostile and odd input: a value is stored as it is or refused, and never becomes SQL. */
import { InvalidOptionError, InvalidParameterError, type ScopedSession } from 'nestjs-scoped-session';
import { beforeEach, describe, expect, it } from 'vitest';
import { ALL_KINDS, onEach, SERVERS, useDatabase } from '../support/databases.js';
import { Note } from '../support/note.js';
import { type Ours, ours, texts } from '../support/plain-and-ours.js';

const HOSTILE = [
  "'; DROP TABLE note; --",
  "' OR '1'='1",
  '" OR ""="',
  "\\'; DROP TABLE note; --",
  '\\',
  "\\\\'",
  '`; DROP TABLE note; --',
  '?',
  '$1',
  ':text',
  '%s %(text)s {text}',
  '/* */ -- #',
  "{fn now()} /*!50000 SELECT 1 */ '",
  "𝕏 😀 é \u0301 \u202e 'rtl",
  "\u02bc \uff07 ' \u00bf\u0027",
  '\n\r\t\b\u001a',
];

const insert = 'INSERT INTO note (text) VALUES (:text)';

onEach(ALL_KINDS, (database) => {
  let test: Ours;
  let session: ScopedSession;
  beforeEach(async () => {
    test = await ours(database, { poolSize: 2 });
    ({ session } = test);
    // The server's own default is an alphabet of one byte, which refuses what it has no letter for.
    if (database.kind === 'mariadb')
      await test.dataSource.query('ALTER TABLE note CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin');
  });

  describe('F108: a text that could be SQL', () => {
    it('comes back as it went, through every way that takes it', async () => {
      const ways: Record<string, (text: string) => Promise<unknown>> = {
        execute: (text) => session.execute(insert, { text }),
        query: (text) =>
          session.query(insert.replace(':text', database.kind === 'postgres' ? '$1' : '?'), [text]),
        manager: (text) => session.manager.insert(Note, { text }),
        repository: (text) => test.dataSource.getRepository(Note).save({ text }),
      };
      for (const store of Object.values(ways)) {
        await session.run(async () => {
          for (const text of HOSTILE) await store(text);
          expect(await texts(test.dataSource)).toEqual(HOSTILE);
          session.setRollbackOnly('it is asked once more');
        });
      }
    });

    it('finds itself, and nothing else, in a condition and in a list', async () => {
      await session.run(async () => {
        await session.execute(
          insert,
          HOSTILE.map((text) => ({ text })),
        );
        for (const text of HOSTILE) {
          expect(await session.scalars('SELECT text FROM note WHERE text = :text', { text })).toEqual([text]);
        }
        const list = HOSTILE.slice(0, 5);
        const found = await session.scalars('SELECT text FROM note WHERE text IN (:list) ORDER BY id', {
          list,
        });
        expect(found).toEqual(list);
        const none = await session.scalars('SELECT text FROM note WHERE text IN (:list)', { list: [] });
        expect(none).toEqual([]);
      });
    });

    it('a NUL is stored as it is, or refused: nothing is cut off behind it', async () => {
      const text = 'before\u0000after';
      const answer = await session
        .run(() => session.execute(insert, { text }))
        .then(
          () => 'stored',
          () => 'refused',
        );
      expect(answer).toBe(database.kind === 'postgres' ? 'refused' : 'stored');
      expect(await texts(test.dataSource)).toEqual(answer === 'stored' ? [text] : []);
    });

    it('bytes come back as they went', async () => {
      const type = database.kind === 'postgres' ? 'BYTEA' : 'BLOB';
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
      await session.run(async () => {
        await session.execute(`CREATE TEMPORARY TABLE canary_bytes (bytes ${type})`);
        await session.execute('INSERT INTO canary_bytes VALUES (:bytes)', { bytes });
        const back = await session.scalar<Uint8Array>('SELECT bytes FROM canary_bytes');
        expect(Buffer.from(back!)).toEqual(bytes);
        await session.execute('DROP TABLE canary_bytes');
        session.setRollbackOnly('nothing is to be kept');
      });
    });
  });

  describe('a parameter that is no value', () => {
    it.each([
      ['an object', { id: 1 }],
      ['an operator', { gt: '' }],
      ['an object that writes SQL', { toSqlString: () => '1 OR 1=1' }],
      ['an object that writes SQL for pg', { toPostgres: () => '1 OR 1=1' }],
      ['a function', () => '1 OR 1=1'],
      ['an array of arrays', [['a', 'b']]],
      ['undefined', undefined],
      ['NaN', NaN],
      ['a symbol', Symbol('text')],
      ['a boxed text', new String('boxed')],
    ])('F102: %s is refused before anything is sent', async (_what, text) => {
      await session.run(async () => {
        await expect(session.execute(insert, { text })).rejects.toThrow(InvalidParameterError);
        expect(session.inTransaction()).toBe(false);
      });
    });

    it.each(['toString', 'constructor', '__proto__', 'role'])(
      'F101: what an object only inherits is none: :%s',
      async (name) => {
        const body = Object.assign({}, JSON.parse('{ "__proto__": { "role": "admin" } }')) as object;
        await session.run(() =>
          expect(session.execute(`SELECT :${name}`, body as never)).rejects.toThrow(
            `A value is required for the parameter ":${name}"`,
          ),
        );
      },
    );
  });

  it('F99: an isolation level that is SQL is refused before anything is sent', async () => {
    const isolation = 'READ COMMITTED; DROP TABLE note; --' as never;
    await expect(session.run(() => 1, { isolation })).rejects.toThrow(InvalidOptionError);
    await session.run(async () => {
      await expect(session.begin({ isolation })).rejects.toThrow(InvalidOptionError);
      await expect(test.dataSource.transaction(isolation, async () => 1)).rejects.toThrow(InvalidOptionError);
      await expect(session.queryRunner.startTransaction(isolation)).rejects.toThrow(InvalidOptionError);
    });
    expect(await texts(test.dataSource)).toEqual([]);
  });

  it('F105: a second statement in one text is refused, or is inside the same transaction', async () => {
    const two = "INSERT INTO note (text) VALUES ('one'); INSERT INTO note (text) VALUES ('two')";
    await session
      .run(async () => {
        await session.execute(two).catch(() => undefined);
        throw new Error('undo');
      })
      .catch(() => undefined);
    expect(await texts(test.dataSource)).toEqual([]);
  });
});

onEach(['mariadb', 'sqljs'], (database) => {
  it('F102: an array is refused where no list stands', async () => {
    const { session } = await ours(database);
    const body = JSON.parse('{ "text": ["a", "b"] }') as Record<string, unknown>;
    await session.run(() => expect(session.execute(insert, body)).rejects.toThrow(InvalidParameterError));
  });
});

onEach(SERVERS, (database) => {
  it('F109: numbers are stored as they are, or refused', async () => {
    const { session } = await ours(database);
    const cast =
      database.kind === 'mariadb' ? 'CAST(:value AS DECIMAL(40, 2))' : 'CAST(:value AS numeric(40, 2))';
    await session.run(async () => {
      for (const value of ['9007199254740993', '12345678901234567890.12', '-0.01'])
        expect(String(await session.scalar(`SELECT ${cast}`, { value }))).toBe(
          value.includes('.') ? value : `${value}.00`,
        );
      expect(String(await session.scalar(`SELECT ${cast}`, { value: 9007199254740993n }))).toBe(
        '9007199254740993.00',
      );
      for (const value of [Infinity, -Infinity, NaN])
        await expect(session.scalar(`SELECT ${cast}`, { value })).rejects.toThrow(InvalidParameterError);
    });
  });
});

describe('on mariadb, by its own rules', () => {
  const database = useDatabase('mariadb');

  it('F110: a tenant from a header is a value in SET as anywhere', async () => {
    const { session } = await ours(database);
    await session.run(async () => {
      for (const tenant of HOSTILE) {
        await session.execute('SET @canary = :tenant', { tenant });
        expect(await session.scalar('SELECT @canary')).toBe(tenant);
      }
      await session.execute('SET @canary = NULL');
    });
  });

  it('F103: a number is compared with a text as the server does it: a token of 0 matches every text without digits', async () => {
    const { session } = await ours(database);
    await session.run(async () => {
      await session.execute(insert, { text: 'secret-token' });
      const { token } = JSON.parse('{ "token": 0 }') as { token: number };
      const find = 'SELECT COUNT(*) FROM note WHERE text = :token';
      expect(Number(await session.scalar(find, { token })), 'the server’s doing').toBe(1);
      expect(Number(await session.scalar(find, { token: String(token) })), 'the cure').toBe(0);
      session.setRollbackOnly('nothing is to be kept');
    });
  });
});
