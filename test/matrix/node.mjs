/** The Node of a cell: the one that runs this where it fits, else the one of npm's package `node`, which npx keeps. */
import { run } from './process.mjs';

/**
 * @param {string} version or its beginning: `20`, `20.19.0`
 * @param {string} cwd
 * @returns {Promise<string>} the program
 */
export async function nodeProgram(version, cwd) {
  if (process.versions.node.startsWith(`${version}.`) || process.versions.node === version)
    return process.execPath;
  const given = ['--yes', '--package', `node@${version}`, '--', 'node', '-p', 'process.execPath'];
  return (await run('npx', given, { cwd })).stdout.trim();
}
