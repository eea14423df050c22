/** Another process that has a SQLite file locked, for as long as the test wants. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';

const PROGRAM = `
  const database = new (require('better-sqlite3'))(process.argv[1]);
  database.exec('BEGIN IMMEDIATE');
  process.stdout.write('locked');
  process.stdin.once('data', () => { database.exec('COMMIT'); database.close(); process.exit(); });
`;

export class OtherProcess {
  private constructor(private readonly child: ChildProcessWithoutNullStreams) {}

  /** Resolves when the lock is held. */
  static async locks(file: string): Promise<OtherProcess> {
    const child = spawn(process.execPath, ['-e', PROGRAM, file]);
    await once(child.stdout, 'data');
    return new OtherProcess(child);
  }

  /** Gives the lock back and waits for the end of the process. */
  async ends(): Promise<void> {
    const exit = once(this.child, 'exit');
    this.child.stdin.write('go on');
    await exit;
  }
}
