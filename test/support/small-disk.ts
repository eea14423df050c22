/** A disk that can be full: a file system in memory, which only root may mount. */
import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, openSync, rmdirSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { isRoot, temporaryDirectory } from './private-server.js';

const SIZE = '32m';
const CHUNK = Buffer.alloc(4_096);

/** Why there can be no such disk here; undefined where there can. */
export function whyNoSmallDisk(): string | undefined {
  if (!isRoot) return 'only root may mount a file system';
  try {
    new SmallDisk().unmount();
    return undefined;
  } catch (error) {
    return (error as Error).message.trim();
  }
}

export class SmallDisk {
  readonly directory = temporaryDirectory();

  constructor() {
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', this.directory], {
        stdio: 'pipe',
      });
    } catch (error) {
      rmdirSync(this.directory);
      throw error;
    }
    chmodSync(this.directory, 0o777);
  }

  get #filler(): string {
    return `${this.directory}/filler`;
  }

  /** Leaves no room. */
  fill(): void {
    const file = openSync(this.#filler, 'w');
    while (this.#room > 0) writeSync(file, CHUNK);
    closeSync(file);
  }

  get #room(): number {
    return statfsSync(this.directory).bavail;
  }

  /** Gives the room back. */
  clear(): void {
    rmSync(this.#filler, { force: true });
  }

  /** Nothing may have a file of it open. */
  unmount(): void {
    execFileSync('umount', [this.directory], { stdio: 'pipe' });
    rmdirSync(this.directory);
  }
}
