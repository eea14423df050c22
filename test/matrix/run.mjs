/** `npm run test:matrix`: consumers of the packed tarball on the supported versions of Nest, TypeORM and Node. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chosenCells } from './arguments.mjs';
import { CELLS } from './cells.mjs';
import { startServer } from './database.mjs';
import { runJest } from './jest.mjs';
import { nodeProgram } from './node.mjs';
import { packPackage } from './package.mjs';
import { run } from './process.mjs';
import { buildConsumer, installProject } from './project.mjs';
import { printTable } from './table.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Does each thing once: installs of a project, builds of a consumer, a version of Node. */
function once() {
  const done = new Map();
  return (key, make) => {
    if (!done.has(key)) done.set(key, make());
    return done.get(key);
  };
}

/** Runs one cell; rejects with all that was said by what failed. */
async function runCell(cell, { place, tarball, server, oncePerRun }) {
  const folder = await oncePerRun(cell.project, () => installProject(place, cell, tarball));
  const node = await oncePerRun(`node ${cell.node}`, () => nodeProgram(cell.node, place));
  if (cell.kind === 'jest') return runJest(folder, node);
  const program = await oncePerRun(`${cell.project} ${cell.kind}`, () => buildConsumer(folder, cell));
  return server.withDatabase(async (url) => {
    const { stdout, stderr } = await run(node, [program], {
      cwd: place,
      env: { MATRIX_DATABASE_URL: url },
      seconds: 120,
    });
    // Also that require() of the package is none of Node's experiments, on which it would warn.
    if (stderr !== '') throw new Error(`It succeeded, and complained:\n${stderr}`);
    const { node: version, versions, checks } = JSON.parse(stdout);
    return `${checks} checks on node ${version}, ${versions.join(', ')}`;
  });
}

async function main() {
  const { cells, list } = chosenCells(process.argv.slice(2), CELLS);
  if (list) return cells.forEach(({ name }) => console.log(name));
  const place = mkdtempSync(join(tmpdir(), 'matrix-'));
  const server = await startServer();
  const rows = [];
  try {
    const tarball = await packPackage(ROOT, place);
    const oncePerRun = once();
    for (const cell of cells) {
      const began = performance.now();
      const ending = await runCell(cell, { place, tarball, server, oncePerRun }).then(
        (told) => ({ passed: true, told }),
        (error) => ({ passed: false, told: error.stack ?? String(error) }),
      );
      const row = { name: cell.name, seconds: (performance.now() - began) / 1000, ...ending };
      rows.push(row);
      console.log(`${row.passed ? 'passed' : 'FAILED'} ${row.name}: ${row.told}`);
    }
  } finally {
    await server.stop();
  }
  printTable(rows);
  const hasFailed = rows.some(({ passed }) => !passed);
  if (hasFailed) console.log(`What was installed and built is in ${place}`);
  else rmSync(place, { recursive: true, force: true });
  process.exitCode = hasFailed ? 1 : 0;
}

await main();
