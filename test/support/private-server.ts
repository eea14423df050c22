/** Starts a database server of our own: on a temporary directory, on a free port of the loopback, gone at the end. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { accessSync, chownSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { waitUntil } from './wait-until.js';

export interface PrivateServer {
  readonly port: number;
  readonly directory: string;
  /** Stops it in the middle of whatever it does (SIGSTOP): its connections stay, and nobody answers. */
  pause(): Promise<void>;
  /** Lets it go on where it was paused. */
  resume(): void;
  /** Ends it as a power cut would (SIGKILL); resolves when it is gone. Its data stay. */
  kill(): Promise<void>;
  /** Starts it again after kill(), on the same port and the same data. */
  restart(): Promise<void>;
  /** Kills it and removes its directory. */
  stop(): Promise<void>;
}

export const isRoot = process.getuid?.() === 0;

/** The first of `names` that can be run from PATH or one of `places`. */
export function findProgram(names: readonly string[], places: readonly string[] = []): string | undefined {
  const folders = [
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/usr/sbin',
    '/usr/local/sbin',
    ...places,
  ];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export function temporaryDirectory(owner?: { uid: number; gid: number }): string {
  const directory = mkdtempSync(join(tmpdir(), 'scoped-session-'));
  if (owner !== undefined) chownSync(directory, owner.uid, owner.gid);
  return directory;
}

interface Place {
  readonly directory: string;
  readonly port: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** Runs the server, from the moment that `isReady` says so. */
export async function startServer(
  command: readonly [string, ...string[]],
  place: Place,
  isReady: () => Promise<boolean>,
): Promise<PrivateServer> {
  const { directory, port } = place;
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  const run = (): Promise<RunningServer> => runServer(command, place, isReady);
  let running = await run().catch((error: unknown) => {
    remove();
    throw error;
  });
  return {
    port,
    directory,
    pause: async () => {
      running.child.kill('SIGSTOP');
      await waitUntil('the server has stopped', () => isStopped(running.child.pid));
    },
    resume: () => void running.child.kill('SIGCONT'),
    kill: () => running.kill(),
    restart: async () => {
      await running.kill();
      running = await run();
    },
    stop: async () => {
      await running.kill();
      remove();
    },
  };
}

/** A signal is on its way for a moment; Linux says when it has arrived. */
function isStopped(pid: number | undefined): boolean {
  try {
    return /\) T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

interface RunningServer {
  readonly child: ChildProcess;
  kill(): Promise<void>;
}

async function runServer(
  [program, ...given]: readonly [string, ...string[]],
  { directory, uid, gid }: Place,
  isReady: () => Promise<boolean>,
): Promise<RunningServer> {
  const log: string[] = [];
  const child = spawn(program, given, {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid && { uid, gid }),
  });
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => log.push(chunk.toString()));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  // Whatever ends the test run must not leave a server behind.
  const atExit = (): void => void child.kill('SIGKILL');
  process.once('exit', atExit);
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
    process.off('exit', atExit);
  };
  const until = Date.now() + 30_000;
  while (!(await isReady())) {
    if (child.exitCode !== null || Date.now() > until) {
      await kill();
      throw new Error(`${program} did not start:\n${log.join('').slice(-3000)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { child, kill };
}

/** The user that PostgreSQL may run as, where we are root. */
export function userIds(name: string): { uid: number; gid: number } | undefined {
  try {
    const [uid, gid] = ['-u', '-g'].map((flag) =>
      Number(execFileSync('id', [flag, name], { stdio: 'pipe' })),
    );
    return { uid: uid!, gid: gid! };
  } catch {
    return undefined;
  }
}
