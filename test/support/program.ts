/** A program of the tests in a process of its own, on the sources as the tests are: it may be killed, and have few files. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Vite runs it as it runs the tests: TypeScript, and the package by its name. */
const RUN = `
import { runnerImport } from 'vite';
const [root, program] = process.argv.slice(1);
const alias = { 'nestjs-scoped-session': root + 'src/index.ts' };
await runnerImport(root + program, { root, resolve: { alias }, logLevel: 'error' });
`;

export class Program {
  /** What it has printed. */
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #errors = '';

  /**
   * @param path - from the root
   * @param given - what it finds in its environment, as JSON, under the name GIVEN
   * @param openFiles - how many files and sockets it may have open
   */
  constructor(path: string, given: object, openFiles?: number) {
    const limit = openFiles === undefined ? '' : `ulimit -n ${openFiles};`;
    const node = [process.execPath, '--input-type=module', '--eval', RUN, root, path];
    this.#child = spawn('bash', ['-c', `${limit} exec "$@"`, 'bash', ...node], {
      cwd: root,
      env: { ...process.env, NODE_OPTIONS: '', GIVEN: JSON.stringify(given) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    createInterface(this.#child.stdout!).on('line', (line) => this.lines.push(line));
    this.#child.stderr!.on('data', (chunk: Buffer) => (this.#errors += chunk.toString()));
    this.#exited = once(this.#child, 'close');
    process.once('exit', this.#atExit);
  }

  /** Whatever ends the test run ends it too. */
  readonly #atExit = (): void => void this.#child.kill('SIGKILL');

  /** Ends it at once (SIGKILL): nothing of it runs any more. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Resolves when it has ended and all that it printed was read, with how it ended, and what it complained of. */
  async ended(): Promise<{ code: number | null; signal: string | null; errors: string }> {
    await this.#exited;
    process.off('exit', this.#atExit);
    const { exitCode: code, signalCode: signal } = this.#child;
    return { code, signal, errors: this.#errors };
  }
}
