/** Projects that have installed the package: as users do it, with npm, beside the versions of their cells. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './process.mjs';

const CONSUMER = new URL('./consumer/', import.meta.url);

/** Compiler options of every consumer: strict, and the declarations of all packages are checked as well. */
const COMMON = {
  target: 'ES2022',
  lib: ['ES2023', 'ESNext.Disposable'],
  types: ['node'],
  strict: true,
  esModuleInterop: true,
  noUncheckedIndexedAccess: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  skipLibCheck: false,
  rootDir: 'src',
  outDir: 'dist',
};

/** As `nest new` set up CommonJS applications until Nest 11; Nest 12 is found by `exports` only. */
const moduleOptions = (kind, nest) =>
  kind === 'cjs' && nest < 12 ? { module: 'commonjs', moduleResolution: 'node10' } : { module: 'nodenext' };

/**
 * Installs the package and the dependencies. What does not fit together is refused by npm.
 *
 * @param {string} place
 * @param {{ project: string, dependencies: Record<string, string> }} cell
 * @param {string} tarball
 * @returns {Promise<string>} the project's folder
 */
export async function installProject(place, { project, dependencies }, tarball) {
  const folder = join(place, project);
  mkdirSync(folder);
  writeJson(join(folder, 'package.json'), {
    private: true,
    dependencies: { ...dependencies, 'nestjs-scoped-session': `file:${tarball}` },
  });
  const quiet = ['--no-audit', '--no-fund', '--no-update-notifier', '--ignore-scripts', '--prefer-offline'];
  await run('npm', ['install', ...quiet], { cwd: folder });
  return folder;
}

/**
 * Compiles the consumer as an application of this kind.
 *
 * @param {string} folder of the project
 * @param {{ kind: 'cjs' | 'esm', dependencies: Record<string, string> }} cell
 * @returns {Promise<string>} the program to run
 */
export async function buildConsumer(folder, { kind, dependencies }) {
  const application = join(folder, kind);
  mkdirSync(application);
  cpSync(CONSUMER, join(application, 'src'), { recursive: true });
  writeJson(join(application, 'package.json'), {
    private: true,
    type: kind === 'esm' ? 'module' : 'commonjs',
  });
  const nest = Number.parseInt(dependencies['@nestjs/core'], 10);
  writeJson(join(application, 'tsconfig.json'), {
    compilerOptions: { ...COMMON, ...moduleOptions(kind, nest) },
    include: ['src'],
  });
  await run(process.execPath, [join(folder, 'node_modules/typescript/bin/tsc'), '-p', application], {
    cwd: application,
  });
  return join(application, 'dist/main.js');
}

export function writeJson(path, value) {
  writeFileSync(path, JSON.stringify(value, null, 2));
}
