/** A driver in mysql2's shape without a server: its connections write down what they are sent, and die when they are told to. */
import { EventEmitter } from 'node:events';

type Answered = (error: Error | null, raw?: unknown) => void;

/** The name is what tells an answer without rows. */
class ResultSetHeader {
  readonly affectedRows = 0;

  constructor(readonly serverStatus: number) {}
}

const isLost = (): Error =>
  Object.assign(new Error('Connection lost: The server closed the connection.'), {
    code: 'PROTOCOL_CONNECTION_LOST',
    fatal: true,
  });

export class FakeConnection extends EventEmitter {
  readonly config = { clientFlags: 0 };
  readonly sent: string[] = [];
  isDestroyed = false;
  #isInTransaction = false;
  #isDead = false;
  #isSilent = false;

  constructor(readonly id: number) {
    super();
  }

  /** The server has closed it, and the driver has not heard of it yet. */
  die(): void {
    this.#isDead = true;
  }

  /** The server has closed it, and the driver says so. */
  end(): void {
    this.die();
    this.emit('error', isLost());
  }

  /** Nothing is answered any more. */
  fallSilent(): void {
    this.#isSilent = true;
  }

  query(sql: string, ...given: [Answered] | [unknown, Answered]): void {
    this.sent.push(sql);
    if (sql.startsWith('START')) this.#isInTransaction = true;
    if (/^(COMMIT|ROLLBACK)$/.test(sql)) this.#isInTransaction = false;
    const rows = [{ id: this.id, version: '11.4.0' }];
    const answer = sql.startsWith('SELECT') ? rows : new ResultSetHeader(this.#isInTransaction ? 1 : 0);
    const answered = given.at(-1) as Answered;
    this.#answer((error) => answered(error, error === null ? answer : undefined));
  }

  promise(): object {
    return {
      query: (sql: string | { sql: string }) =>
        new Promise((resolve, reject) =>
          this.query(typeof sql === 'string' ? sql : sql.sql, (error, raw) =>
            error === null ? resolve([raw]) : reject(error),
          ),
        ),
    };
  }

  ping(answered: (error?: Error | null) => void): void {
    this.sent.push('ping');
    // mysql2 calls back with nothing at all.
    this.#answer((error) => (error === null ? answered() : answered(error)));
  }

  reset(answered: Answered): void {
    this.sent.push('reset');
    this.#answer(answered);
  }

  release(): void {
    this.sent.push('release');
  }

  destroy(): void {
    this.isDestroyed = true;
  }

  #answer(answered: (error: Error | null) => void): void {
    if (!this.#isSilent) setImmediate(() => answered(this.#isDead ? isLost() : null));
  }
}

/** What TypeORM takes as `driver`. */
export class FakeMysql {
  readonly connections: FakeConnection[] = [];
  isDown = false;

  readonly createPool = (): object => ({
    on: () => undefined,
    end: (ended: () => void) => setImmediate(ended),
    getConnection: (got: (error: Error | null, connection?: FakeConnection) => void) =>
      setImmediate(() => {
        if (this.isDown)
          return got(Object.assign(new Error('refused'), { code: 'ECONNREFUSED', fatal: true }));
        const connection = new FakeConnection(this.connections.length);
        this.connections.push(connection);
        got(null, connection);
      }),
  });
}
