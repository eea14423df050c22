/** Values that are bodies to be read after the handler has returned, and how each kind of them is read and made again. */
import { Readable } from 'node:stream';
import { types } from 'node:util';
import { StreamableFile } from '@nestjs/common';

/** Reads a body piece by piece. */
export interface BodyReader {
  next(): Promise<IteratorResult<unknown>>;
  /** Nobody will read the rest; must not wait for a piece that is being made. */
  stop(): void;
}

/** The pieces as they are given out. */
export type Pieces = AsyncIterableIterator<unknown>;

export interface Body {
  readonly reader: BodyReader;
  /** Bytes that it has announced. */
  readonly length: number | undefined;
  /** The status that it brings along. */
  readonly status: number | undefined;
  /** A value of the same kind that gives out `pieces`. */
  with(pieces: Pieces): unknown;
}

/** Undefined for every other value, and for a body that was read already, of which Nest says so itself. */
export function bodyOf(value: unknown): Body | undefined {
  // Nobody streams a proxy, and what its application made of it is not to be asked.
  if (typeof value !== 'object' || value === null || types.isProxy(value)) return undefined;
  if (value instanceof StreamableFile) return fileBody(value);
  if (isResponse(value)) return responseBody(value);
  if (value instanceof ReadableStream) return value.locked ? undefined : webStreamBody(value);
  if (isNodeStream(value)) return isUsedUp(value) ? undefined : streamBody(value);
  if (isStreamed(value)) return iterableBody(value);
  return isPlain(value) ? wrappedBody(value) : undefined;
}

function bodyFrom(
  reader: BodyReader,
  make: (pieces: Pieces) => unknown,
  { length, status }: { length?: number | undefined; status?: number | undefined } = {},
): Body {
  return { reader, length, status, with: make };
}

function fileBody(file: StreamableFile): Body | undefined {
  const stream: object | undefined = file.getStream();
  if (stream === undefined || !isNodeStream(stream) || isComplete(stream)) return undefined;
  // In its place, so that its options, its class and its error handlers stay as they are.
  const make = (pieces: Pieces): unknown => Object.assign(file, { stream: streamOf(pieces, stream) });
  return bodyFrom(new IterableReader(stream), make, { length: file.getHeaders().length });
}

function streamBody(stream: Readable): Body {
  return bodyFrom(new IterableReader(stream), (pieces) => streamOf(pieces, stream));
}

function webStreamBody(stream: ReadableStream): Body {
  return bodyFrom(new WebStreamReader(stream), webStreamOf);
}

/** Nest 11 streams no iterables, and writes them as JSON: that of the handler's own value, as if nobody stood between. */
function iterableBody(value: AsyncIterable<unknown>): Body {
  const make = (pieces: Pieces): Pieces => Object.defineProperty(pieces, 'toJSON', { value: () => value });
  return bodyFrom(new IterableReader(value), make);
}

/** The same object: a response that `fetch()` gave has a type which cannot be made. */
function responseBody(response: Response): Body | undefined {
  const { body, status } = response;
  if (body === null || body.locked || Readable.isDisturbed(body as never)) return undefined;
  const announced = response.headers.get('content-length');
  const make = (pieces: Pieces): Response =>
    Object.defineProperty(response, 'body', { value: webStreamOf(pieces), configurable: true });
  const length = announced === null ? undefined : Number(announced);
  return bodyFrom(new WebStreamReader(body), make, { length, status });
}

/** Nest sends the stream that an interceptor has put into an object. */
function wrappedBody(value: object): Body | undefined {
  for (const key in value) {
    const member = (value as Record<string, unknown>)[key];
    if (typeof member !== 'object' || member === null || !isStreamed(member)) continue;
    const body = bodyOf(member);
    return body && { ...body, with: (pieces) => ({ ...value, [key]: body.with(pieces) }) };
  }
  return undefined;
}

function isResponse(value: object): value is Response {
  return Object.prototype.toString.call(value) === '[object Response]';
}

function isStreamed(value: object): value is AsyncIterable<unknown> {
  const { [Symbol.asyncIterator]: iterate, then } = value as {
    [Symbol.asyncIterator]?: unknown;
    then?: unknown;
  };
  return typeof iterate === 'function' && typeof then !== 'function';
}

function isPlain(value: object): boolean {
  return Object.getPrototypeOf(value) === Object.prototype;
}

/** Also one of the package readable-stream. */
function isNodeStream(value: object): value is Readable {
  return isStreamed(value) && typeof (value as { pipe?: unknown }).pipe === 'function';
}

/** Everything was pushed by hand: nothing runs when it is read. */
function isComplete(stream: Readable): boolean {
  return stream._read === Readable.prototype._read;
}

function isUsedUp(stream: Readable): boolean {
  return Readable.isDisturbed(stream) && !stream.errored;
}

const alreadyTold = (): void => undefined;

class IterableReader implements BodyReader {
  #iterator: AsyncIterator<unknown> | undefined;

  constructor(private readonly source: AsyncIterable<unknown>) {
    // Without a listener, one that fails before it is read would end the process.
    if (isNodeStream(source)) source.on('error', alreadyTold);
  }

  next(): Promise<IteratorResult<unknown>> {
    return this.#opened.next();
  }

  stop(): void {
    // The iterator of a stream waits for its next piece before it stops.
    if (isNodeStream(this.source)) this.source.destroy();
    else void this.#opened.return?.().catch(alreadyTold);
  }

  get #opened(): AsyncIterator<unknown> {
    return (this.#iterator ??= this.source[Symbol.asyncIterator]());
  }
}

class WebStreamReader implements BodyReader {
  #reader: ReadableStreamDefaultReader<unknown> | undefined;

  constructor(private readonly source: ReadableStream) {}

  async next(): Promise<IteratorResult<unknown>> {
    const { done, value } = await this.#opened.read();
    return done ? { done, value: undefined } : { done, value };
  }

  stop(): void {
    void this.#opened.cancel().catch(alreadyTold);
  }

  get #opened(): ReadableStreamDefaultReader<unknown> {
    return (this.#reader ??= this.source.getReader());
  }
}

function streamOf(pieces: Pieces, { readableObjectMode, readableHighWaterMark }: Readable): Readable {
  const stream = Readable.from(pieces, {
    objectMode: readableObjectMode,
    highWaterMark: readableHighWaterMark,
  });
  return stream.on('error', alreadyTold);
}

function webStreamOf(pieces: Pieces): ReadableStream {
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await pieces.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await pieces.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}
