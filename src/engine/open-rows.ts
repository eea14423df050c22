/** Rows that somebody reads one by one, however the driver gives them; nothing else is sent meanwhile. */
import { Readable } from 'node:stream';
import type { QueryResult, QueryRunner } from 'typeorm';
import { IllegalStateChangeError } from '../errors.js';
import type { RowSource } from './backend.js';
import type { StatementWire } from './statement-wire.js';

type Given = Parameters<QueryRunner['stream']>;
/** TypeORM's word for any stream. */
type ReadStream = Awaited<ReturnType<QueryRunner['stream']>>;
type Send = (sql: string, parameters?: unknown[]) => Promise<QueryResult>;

/** Rows that a cursor is asked for at once. */
const FETCHED = 100;

export class OpenRows {
  #rows: Readable | undefined;
  #cursors = 0;

  constructor(
    private readonly source: RowSource,
    private readonly wire: StatementWire,
    private readonly label: string,
  ) {}

  /** @param send - refuses once the connection is another one */
  async open(send: Send, given: Given): Promise<ReadStream> {
    const rows = (await this.#open(send, given)) as ReadStream;
    this.#rows = rows;
    return rows;
  }

  /**
   * What is sent behind rows waits for their end, and whoever reads them may be waiting for that.
   *
   * @returns a promise where they were left, and are being cleared away
   */
  refuse(): Promise<void> | undefined {
    const rows = this.#rows;
    if (rows === undefined) return undefined;
    if (!rows.readableEnded && !rows.destroyed) {
      throw new IllegalStateChangeError(
        `A stream of rows of ${this.label} is still open on its connection, and a statement behind it would wait for ` +
          'its end. Read it to its end first, or destroy() it.',
      );
    }
    return this.end();
  }

  /** Nobody is to read any more; whoever does is told the reason. */
  end(reason?: unknown): Promise<void> | undefined {
    const rows = this.#rows;
    if (rows === undefined) return undefined;
    if (rows.closed) {
      this.#rows = undefined;
      return undefined;
    }
    rows.destroy(reason as Error | undefined);
    return new Promise((resolve) => rows.once('close', () => resolve()));
  }

  async #open(send: Send, given: Given): Promise<Readable> {
    if (this.source === 'driver') return this.wire.stream(...given);
    const [sql, parameters, onEnd, onError] = given;
    const rows = await this.#rowsOf(send, sql, parameters);
    if (onEnd !== undefined) rows.once('end', () => onEnd());
    if (onError !== undefined) rows.once('error', (error) => onError(error));
    return rows;
  }

  async #rowsOf(send: Send, sql: string, parameters: unknown[] | undefined): Promise<Readable> {
    if (this.source === 'answer') return Readable.from((await send(sql, parameters)).records ?? []);
    this.#cursors += 1;
    const cursor = `scoped_session_rows_${this.#cursors}`;
    await send(`DECLARE ${cursor} NO SCROLL CURSOR FOR ${sql}`, parameters);
    return Readable.from(fetched(send, cursor));
  }
}

async function* fetched(send: Send, cursor: string): AsyncGenerator<unknown, void, undefined> {
  let rows: unknown[];
  try {
    do {
      // One after the other. oxlint-disable-next-line no-await-in-loop
      rows = (await send(`FETCH FORWARD ${FETCHED} FROM ${cursor}`)).records;
      yield* rows;
    } while (rows.length === FETCHED);
  } finally {
    // Where its transaction has failed, or ended, it is closed.
    await send(`CLOSE ${cursor}`).catch(() => undefined);
  }
}
