/** Runs the benchmark's scripts, one for each claim: `--only requests|counts|scopes|flush|loading`, `--quick`; the rest goes to the scripts. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const SCRIPTS = {
  requests: { file: 'requests.mjs', node: [] },
  counts: { file: 'counts.mjs', node: [] },
  scopes: { file: 'scopes.mjs', node: ['--expose-gc'] },
  flush: { file: 'flush.mjs', node: ['--expose-gc'] },
  loading: { file: 'loading.mjs', node: ['--expose-gc'] },
};

const given = process.argv.slice(2);
const place = given.findIndex((word) => word.startsWith('--only'));
const [, only] =
  place === -1
    ? []
    : given
        .splice(place, given[place].includes('=') ? 1 : 2)
        .join('=')
        .split('=');
if (place !== -1 && !Object.hasOwn(SCRIPTS, only)) {
  throw new Error(`--only takes one of ${Object.keys(SCRIPTS).join(', ')}.`);
}

for (const [name, { file, node }] of Object.entries(SCRIPTS)) {
  if (only !== undefined && only !== name) continue;
  const script = fileURLToPath(new URL(file, import.meta.url));
  // What only one script understands is given only when one was chosen.
  const words = only === undefined ? given.filter((word) => word === '--quick') : given;
  const child = spawn(process.execPath, [...node, script, ...words], { stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  if (code !== 0) process.exitCode = 1;
  console.log();
}
