/** Starts a database server of our own: on a temporary directory, on a free port of the loopback, gone at the end. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { accessSync, chownSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

export interface PrivateServer {
  readonly port: number;
  readonly process: ChildProcess;
  readonly directory: string;
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

/** Runs the server until `isReady` says so; kills it and removes its directory at the end. */
export async function startServer(
  command: readonly [string, ...string[]],
  place: { readonly directory: string; readonly port: number; readonly uid?: number; readonly gid?: number },
  isReady: () => Promise<boolean>,
): Promise<PrivateServer> {
  const [program, ...given] = command;
  const { directory, port, uid, gid } = place;
  const log: string[] = [];
  const child = spawn(program, given, {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid && { uid, gid }),
  });
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => log.push(chunk.toString()));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
    rmSync(directory, { recursive: true, force: true });
  };
  const until = Date.now() + 30_000;
  while (!(await isReady())) {
    if (child.exitCode !== null || Date.now() > until) {
      await stop();
      throw new Error(`${program} did not start:\n${log.join('').slice(-3000)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  // Whatever ends the test run must not leave a server behind.
  process.once('exit', () => child.kill('SIGKILL'));
  return { port, process: child, directory, stop };
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
