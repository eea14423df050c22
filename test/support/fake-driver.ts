/** mysql2 without a server, which answers at once and keeps nothing; TypeORM takes it as its option `driver`. */
import { EventEmitter } from 'node:events';

const IN_TRANSACTION = 1;
const AUTOCOMMIT = 2;

// Its name is what tells it from rows.
class ResultSetHeader {
  affectedRows = 0;
  insertId = 0;

  constructor(readonly serverStatus: number) {}
}

type Answered = (error: Error | null, answer?: unknown) => void;

export class FakeConnection extends EventEmitter {
  #status = AUTOCOMMIT;

  constructor(private readonly pool: FakePool) {
    super();
  }

  query(sql: string, ...given: unknown[]): void {
    const answered = given.at(-1) as Answered;
    const answer = this.#answerTo(sql);
    process.nextTick(() => answered(null, answer));
  }

  /** As mysql2's other voice, which TypeORM's own runners use. */
  promise(): { query(sql: string | { sql: string }): Promise<[answer: unknown, fields: unknown[]]> } {
    return { query: async (sql) => [this.#answerTo(typeof sql === 'string' ? sql : sql.sql), []] };
  }

  #answerTo(sql: string): unknown {
    if (/version\(\)/i.test(sql)) return [{ version: '10.11.0-MariaDB' }];
    if (sql.startsWith('SELECT')) return [{ one: 1 }];
    if (sql.startsWith('START')) this.#status |= IN_TRANSACTION;
    if (sql === 'COMMIT' || sql === 'ROLLBACK') this.#status = AUTOCOMMIT;
    return new ResultSetHeader(this.#status);
  }

  ping(answered: Answered): void {
    process.nextTick(() => answered(null));
  }

  reset(answered: Answered): void {
    process.nextTick(() => answered(null));
  }

  release(): void {
    this.pool.free.push(this);
  }

  destroy(): void {
    this.pool.all.delete(this);
    this.emit('end');
    this.removeAllListeners();
  }
}

export class FakePool extends EventEmitter {
  readonly all = new Set<FakeConnection>();
  readonly free: FakeConnection[] = [];

  getConnection(answered: Answered): void {
    const connection = this.free.pop() ?? new FakeConnection(this);
    this.all.add(connection);
    process.nextTick(() => answered(null, connection));
  }

  end(answered: Answered): void {
    process.nextTick(() => answered(null));
  }
}

/** As the module mysql2. */
export function fakeDriver(): { createPool(): FakePool; readonly pool: FakePool } {
  const pool = new FakePool();
  return { createPool: () => pool, pool };
}
