/** An application of Nest 11 whose tests run in jest, set up as the README says. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './process.mjs';
import { writeJson } from './project.mjs';

/** What `nest new` gave applications of Nest 11, and `allowJs`. */
const COMPILER_OPTIONS = {
  module: 'commonjs',
  moduleResolution: 'node10',
  target: 'ES2023',
  lib: ['ES2023', 'ESNext.Disposable'],
  types: ['node'],
  strict: true,
  esModuleInterop: true,
  allowJs: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  skipLibCheck: true,
};

/**
 * @param {string} folder of the project
 * @param {string} node
 */
export async function runJest(folder, node) {
  const application = join(folder, 'jest');
  cpSync(new URL('./jest/', import.meta.url), application, { recursive: true });
  writeJson(join(application, 'tsconfig.json'), { compilerOptions: COMPILER_OPTIONS });
  const given = [join(folder, 'node_modules/jest/bin/jest.js'), '--ci', '--no-cache'];
  const { stderr } = await run(node, given, { cwd: application, seconds: 120 });
  return stderr.match(/^Tests:.*$/m)?.[0] ?? '';
}
