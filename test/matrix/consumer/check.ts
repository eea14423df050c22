/** What a check is, and how one is run: bounded in time, and nothing may be left behind. */
import assert from 'node:assert/strict';
import type { Stage } from './stage.js';

/** Checks by what they state. */
export type Checks = Readonly<Record<string, (stage: Stage) => Promise<void>>>;

/** Only a check that hangs takes so long. */
const LONGEST_MS = 15_000;

export async function runCheck(stage: Stage, check: Checks[string]): Promise<void> {
  await stage.clear();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`It took more than ${LONGEST_MS} ms.`)), LONGEST_MS);
  });
  try {
    await Promise.race([check(stage), late]);
  } finally {
    clearTimeout(timer);
  }
  assert.deepEqual(stage.said.splice(0), [], 'the log has something to say');
  assert.equal(connectionsOut(stage), 0, 'a connection was not given back');
}

export const connectionsOut = (stage: Stage): number =>
  stage.session.sessionFactory.engine?.status().active ?? Number.NaN;
