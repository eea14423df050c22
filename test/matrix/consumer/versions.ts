/** What the consumer runs on, as it is installed. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const PROJECT = dirname(process.argv[1] ?? '');

/** The version of an installed package: found as Node finds it, upwards from the program. */
export function versionOf(name: string, folder = PROJECT): string {
  const path = join(folder, 'node_modules', name, 'package.json');
  try {
    return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
  } catch (error) {
    if (dirname(folder) === folder) throw error;
    return versionOf(name, dirname(folder));
  }
}

export const VERSION_OF_NEST = Number.parseInt(versionOf('@nestjs/core'), 10);

export const HAS_OLD_FILES = versionOf('@nestjs/core').startsWith('11.0.');
