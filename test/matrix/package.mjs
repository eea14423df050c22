/** The package as users get it: built from a copy of the sources, and packed. */
import { cpSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './process.mjs';

const NEEDED = [
  'src',
  'package.json',
  'nest-cli.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
];

/**
 * @param {string} root of the repository
 * @param {string} place where there is room
 * @returns {Promise<string>} the tarball
 */
export async function packPackage(root, place) {
  const project = join(place, 'package');
  mkdirSync(project);
  // A copy: nobody's dist is overwritten, and nothing that lies in it is packed.
  for (const path of NEEDED.filter((path) => existsSync(join(root, path)))) {
    cpSync(join(root, path), join(project, path), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(project, 'node_modules'));
  await run('npm', ['run', 'build'], { cwd: project });
  const given = ['pack', '--json', '--ignore-scripts', '--pack-destination', place];
  const [{ filename }] = JSON.parse((await run('npm', given, { cwd: project })).stdout);
  return join(place, filename);
}
