/** A body that is read after its handler has returned: each piece is made inside the unit of work, which ends with the last. */
import { ScopeAbortedError } from '../errors.js';
import { runWithScope } from '../scope/index.js';
import type { Ending } from '../session/index.js';
import { withoutCycles } from '../unit-of-work/index.js';
import type { Body, Pieces } from './body.js';
import { announcedLength, type HttpResponse, type RawHttpResponse, rawResponseOf } from './http-response.js';
import type { LongTransactions } from './long-transactions.js';

export interface StreamedBodyOptions {
  readonly ending: Ending;
  readonly response: HttpResponse | undefined;
  readonly warn: (message: string) => void;
  readonly report: (message: string) => void;
  readonly transactions: LongTransactions;
}

const END: IteratorReturnResult<undefined> = { done: true, value: undefined };

export class StreamedBody implements Pieces {
  #isOver = false;
  #finished: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #rejectRead: (error: unknown) => void = () => undefined;
  /** Read already, to know whether anything comes behind the last piece that was announced. */
  #ahead: IteratorResult<unknown> | undefined;
  #bytes = 0;
  readonly #response: RawHttpResponse | undefined;
  /** How many bytes the client has been told to wait for. */
  readonly #length: number | undefined;
  readonly #lookAtTransactions: () => void;

  // Out of sight of whoever writes all members of an object, as serializers do.
  readonly #body: Body;
  readonly #options: StreamedBodyOptions;

  constructor(body: Body, options: StreamedBodyOptions) {
    this.#body = body;
    this.#options = options;
    const { ending, response, transactions } = options;
    this.#lookAtTransactions = transactions.watch(ending.scope);
    this.#length = body.length ?? announcedLength(response);
    this.#response = response && rawResponseOf(response);
    ending.onCutShort((error) => this.#cut(error));
    ending.body = this;
    if (ending.hasBegun || this.#response?.destroyed === true) this.stop();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<unknown>> {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#isOver) return END;
    this.#lookAtTransactions();
    const piece = this.#takeAhead() ?? (await this.#read());
    if (piece.done === true) {
      await this.#finish();
      return END;
    }
    if (this.#isLastAnnounced(piece.value)) {
      // A client that has counted to the end believes that it has everything: the COMMIT comes first.
      this.#ahead = await this.#read();
      if (this.#ahead.done === true) await this.#finish();
    }
    return { done: false, value: this.#shown(piece.value) };
  }

  async return(): Promise<IteratorResult<unknown>> {
    this.stop();
    return END;
  }

  /** Nobody reads the rest. */
  stop(): void {
    if (this.#isOver) return;
    const { ending, warn } = this.#options;
    this.#over();
    const error = new ScopeAbortedError(
      `${ending.scope.label}: its body was not read to the end (the client has gone, or wanted none); what it did was rolled back.`,
      { outcome: 'rolledBack' },
    );
    ending.end({ kind: 'abandoned', error }).catch((later: unknown) => warn(String(later)));
  }

  #takeAhead(): IteratorResult<unknown> | undefined {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    return ahead;
  }

  /** In the unit of work, whoever asks: what has room again for more is often another request's. */
  async #read(): Promise<IteratorResult<unknown>> {
    try {
      return await new Promise<IteratorResult<unknown>>((resolve, reject) => {
        this.#rejectRead = reject;
        runWithScope(this.#options.ending.scope, 'inner', async () => this.#body.reader.next()).then(
          resolve,
          reject,
        );
      });
    } catch (error) {
      await this.#fail(error);
      throw error;
    }
  }

  /** Commits, before the end of the body is given out. */
  async #finish(): Promise<void> {
    this.#isOver = true;
    const { ending, response } = this.#options;
    this.#finished ??= ending.end({ kind: 'value', status: this.#body.status ?? response?.statusCode });
    try {
      await this.#finished;
    } catch (error) {
      this.#failure = { error };
      this.#cutResponse(`its COMMIT failed at the end of its body: ${messageOf(error)}`);
      throw error;
    }
  }

  async #fail(error: unknown): Promise<void> {
    if (this.#isOver) return;
    this.#over();
    this.#failure = { error };
    const { ending, warn } = this.#options;
    await ending.end({ kind: 'error', error }).catch((later: unknown) => warn(String(later)));
  }

  /** The unit of work was cut short from outside. */
  #cut(error: unknown): void {
    if (this.#isOver) return;
    this.#over();
    this.#failure = { error };
    this.#cutResponse(messageOf(error));
    this.#rejectRead(error);
  }

  #over(): void {
    this.#isOver = true;
    const { scope } = this.#options.ending;
    runWithScope(scope, 'inner', () => this.#body.reader.stop());
  }

  /** Nobody may take for whole what is not. Where nothing was sent yet, the error gets an answer as any other. */
  #cutResponse(why: string): void {
    const { ending, report } = this.#options;
    if (this.#response?.headersSent !== true) return;
    report(`${ending.scope.label}: the response was cut, for ${why}`);
    this.#response.destroy();
  }

  #isLastAnnounced(piece: unknown): boolean {
    if (this.#length === undefined) return false;
    if (typeof piece === 'string') this.#bytes += Buffer.byteLength(piece);
    else if (ArrayBuffer.isView(piece)) this.#bytes += piece.byteLength;
    return this.#bytes >= this.#length;
  }

  #shown(piece: unknown): unknown {
    const isBinary = ArrayBuffer.isView(piece) || typeof piece !== 'object';
    return isBinary || !this.#options.ending.scope.isUsed ? piece : withoutCycles(piece);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
