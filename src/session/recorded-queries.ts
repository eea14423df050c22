/** The statements of a session, written down: Flask-SQLAlchemy's recorded queries. */
import type { SentStatement, StatementRecorder } from '../engine/index.js';
import { currentFrame, runInFrame } from '../scope/index.js';
import { callerLocation } from './caller-location.js';

/**
 * One statement that was answered.
 *
 * @example
 * ```ts
 * import type { Session } from 'nestjs-scoped-session';
 * export const slow = (session: Session) =>
 *   session.getRecordedQueries().filter(({ durationMs }) => durationMs > 100);
 * ```
 */
export class RecordedQuery {
  readonly #parameters: readonly unknown[];

  /** @internal */
  constructor(
    /** SQL as it was sent, with the driver's placeholders. */
    readonly statement: string,
    parameters: readonly unknown[],
    /** Milliseconds on the clock of `performance.now()`. */
    readonly startTime: number,
    /** Milliseconds on the clock of `performance.now()`. */
    readonly endTime: number,
    /** `file:line:column (function)` of the application's code that asked; `<unknown>` where it was the library. */
    readonly location: string,
  ) {
    this.#parameters = parameters;
    this.durationMs = endTime - startTime;
  }

  /** Milliseconds from sending to the answer; of a stream, to its last row. */
  readonly durationMs: number;

  /** The values that were sent with it; neither JSON nor `inspect` shows them. */
  get parameters(): readonly unknown[] {
    return this.#parameters;
  }
}

/** Where the running call was asked for. */
interface Asked {
  readonly location: string;
}

export class RecordedQueries implements StatementRecorder {
  #queries: RecordedQuery[] = [];

  /** @param most - how many are kept; older ones are forgotten */
  constructor(private readonly most: number) {}

  /** In the order of their answers. */
  get queries(): RecordedQuery[] {
    return this.#queries.slice(-this.most);
  }

  sent(sql: string, parameters: readonly unknown[] = []): SentStatement {
    const location = callerLocation() ?? (currentFrame(this) as Asked | undefined)?.location ?? UNKNOWN;
    const values = [...parameters];
    const startTime = performance.now();
    return {
      answered: () => this.#keep(new RecordedQuery(sql, values, startTime, performance.now(), location)),
    };
  }

  asking<T>(work: () => T): () => T {
    const location = callerLocation();
    return location === undefined ? work : () => runInFrame<T>(this, { location } satisfies Asked, work);
  }

  #keep(query: RecordedQuery): void {
    this.#queries.push(query);
    // Not at each one: the rest has to be moved.
    if (this.#queries.length >= 2 * this.most) this.#queries = this.queries;
  }
}

const MOST = 1_000;
const UNKNOWN = '<unknown>';

/** Undefined where nothing is to be written down. */
export function recordedQueries(asked: boolean | number = false): RecordedQueries | undefined {
  if (asked === false) return undefined;
  return new RecordedQueries(asked === true ? MOST : asked);
}
