/** Starts a variant's server and asks it. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const APPLICATION = fileURLToPath(new URL('application.mjs', import.meta.url));

export class ApplicationProcess {
  #child;

  constructor(variant, port, child) {
    this.variant = variant;
    this.port = port;
    this.#child = child;
  }

  /**
   * @param {object} variant - one of VARIANTS
   * @param {{ platform: string, database: object, node?: readonly string[] }} settings - `node`: its arguments
   */
  static async start(variant, { platform, database, node = [] }) {
    const given = JSON.stringify({ file: variant.file, platform, database });
    const child = fork(APPLICATION, [given], {
      execArgv: [...node],
      env: { ...process.env, NODE_ENV: 'production' },
    });
    const port = await answerOf(child, variant);
    return new ApplicationProcess(variant, port, child);
  }

  /** @returns {Promise<{ cpu: number, collecting: number }>} microseconds of CPU in all threads, and of garbage collection */
  used() {
    return this.#ask('used');
  }

  /** Counts promises and bytes from here to `counted()`. */
  count() {
    return this.#ask('count');
  }

  /** @returns {Promise<{ promises: number, bytes: number }>} */
  counted() {
    return this.#ask('counted');
  }

  #ask(question) {
    this.#child.send(question);
    return answerOf(this.#child, this.variant);
  }

  async close() {
    if (this.#child.exitCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.send('close');
    await exited;
  }
}

async function answerOf(child, { name }) {
  const exited = new AbortController();
  const { signal } = exited;
  const answered = once(child, 'message', { signal }).then(([answer]) => answer);
  const gone = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`The server of ${name} has ended with code ${code}.`);
  });
  try {
    return await Promise.race([answered, gone]);
  } finally {
    for (const promise of [answered, gone]) promise.catch(() => undefined);
    exited.abort();
  }
}
