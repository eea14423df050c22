/** Runs a program to its end, within a time, and keeps what it says. */
import { spawn } from 'node:child_process';

/** Of whoever runs the matrix; a consumer has its own. */
const NOT_PASSED_ON = ['DATABASE_URL', 'NODE_OPTIONS', 'NODE_PATH', 'TEST_DATABASE_URL', 'VITEST'];

/** A program that failed, with all that it said. */
export class ProgramError extends Error {}

/**
 * @param {string} program
 * @param {readonly string[]} given
 * @param {{ cwd: string, env?: Record<string, string>, seconds?: number }} options
 * @returns {Promise<{ stdout: string, stderr: string }>}
 */
export function run(program, given, { cwd, env = {}, seconds = 300 }) {
  // npm tells its scripts its own settings, which would then be those of another project.
  const passed = Object.entries(process.env).filter(
    ([name]) => !NOT_PASSED_ON.includes(name) && !/^npm_(?!config_(cache|registry|cafile)$)/.test(name),
  );
  const child = spawn(program, given, {
    cwd,
    env: { ...Object.fromEntries(passed), NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'])
    child[name].setEncoding('utf8').on('data', (text) => (said[name] += text));
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, seconds * 1000);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) return resolve(said);
      const how = isLate ? `did not end in ${seconds} s` : `ended with ${code ?? signal}`;
      reject(
        new ProgramError([`${program} ${given.join(' ')}: ${how}`, said.stdout, said.stderr].join('\n')),
      );
    });
  });
}
