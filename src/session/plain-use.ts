/** Tells whoever wants to know that an adopted DataSource was used outside every scope, as plain TypeORM. */
import { currentFrame, runInFrame } from '../scope/index.js';

class Watch {
  constructor(readonly used: () => void) {}
}

/** Runs `fn`, and calls `used` whenever TypeORM is used plainly in it. */
export function watchPlainUse<T>(used: () => void, fn: () => T): T {
  return runInFrame(Watch, new Watch(used), fn);
}

export function notePlainUse(): void {
  (currentFrame(Watch) as Watch | undefined)?.used();
}
