/** One direction of a proxied connection: passes bytes on in their order, late, slowly or not at all. */
import type { Socket } from 'node:net';

const SLICES_PER_SECOND = 50;

export class Pipe {
  delay = { milliseconds: 0, jitterMs: 0 };
  bytesPerSecond = Infinity;
  /** Sees every chunk when it arrives; `'lost'` keeps it from being passed on. */
  onData: ((chunk: Buffer) => 'lost' | void) | undefined;
  /** What came before is passed on first, the end of the stream included. */
  #last = Promise.resolve();
  #opening: { readonly promise: Promise<void>; open(): void } | undefined;

  constructor(
    from: Socket,
    private readonly to: Socket,
  ) {
    from.on('data', (chunk) => {
      if (this.onData?.(chunk) !== 'lost') this.#inOrder(() => this.#pass(chunk));
    });
    from.on('end', () => this.#inOrder(async () => void to.end()));
    // Whoever is torn down takes the other side with it, once what it had sent has arrived there.
    from.on('close', () => this.#inOrder(async () => void to.destroy()));
    from.on('error', () => undefined);
  }

  /** Keeps everything back until heal(). */
  hold(): void {
    if (this.#opening !== undefined) return;
    let open!: () => void;
    const promise = new Promise<void>((resolve) => (open = resolve));
    this.#opening = { promise, open };
  }

  heal(): void {
    this.delay = { milliseconds: 0, jitterMs: 0 };
    this.bytesPerSecond = Infinity;
    this.#opening?.open();
    this.#opening = undefined;
  }

  #inOrder(work: () => Promise<void>): void {
    this.#last = this.#last.then(async () => {
      await this.#opening?.promise;
      await work();
    });
  }

  async #pass(chunk: Buffer): Promise<void> {
    const { milliseconds, jitterMs } = this.delay;
    if (milliseconds > 0 || jitterMs > 0) await pause(milliseconds + Math.random() * jitterMs);
    let rest = chunk;
    while (rest.length > 0) {
      const slice = Math.max(1, Math.ceil(this.bytesPerSecond / SLICES_PER_SECOND));
      this.#write(rest.subarray(0, slice));
      rest = rest.subarray(slice);
      if (rest.length > 0) await pause(1000 / SLICES_PER_SECOND);
    }
  }

  #write(bytes: Buffer): void {
    if (this.to.writable) this.to.write(bytes);
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
