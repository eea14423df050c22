/** The package as users get it: built, packed, linted, and used by applications that import and that require it. */
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { filesIn, importsOf, parse, read, ROOT, targetOf } from './source-files.js';
import { complaints, optionsOf, programOf } from './type-check.js';

const PAGES = ['CHANGELOG.md', 'LICENSE', 'README.md'].filter((path) => existsSync(ROOT + path));
const BUILD_FILES = [
  'src',
  'package.json',
  'nest-cli.json',
  'tsconfig.json',
  'tsconfig.build.json',
  ...PAGES,
];
/** What an application has beside the library. */
const OF_THE_CONSUMER = [
  ...Object.keys(packageJson.peerDependencies),
  '@nestjs/typeorm',
  '@nestjs/platform-express',
];

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}

const place = mkdtempSync(join(tmpdir(), 'package-'));
const project = join(place, 'project');
const consumer = join(place, 'consumer');
const installed = join(consumer, 'node_modules', 'nestjs-scoped-session');
let packed: Packed;
let tarball: string;

/** Runs a program and gives what it printed; fails with all that it said. */
async function run(command: string, given: readonly string[], directory: string): Promise<string> {
  const { DATABASE_URL: _, NODE_OPTIONS: __, VITEST: ___, ...env } = process.env;
  const options = { cwd: directory, env: { ...env, NO_COLOR: '1' }, maxBuffer: 2 ** 24 };
  try {
    return (await promisify(execFile)(command, given, options)).stdout;
  } catch (error) {
    const { stdout, stderr, message } = error as { stdout: string; stderr: string; message: string };
    throw new Error([message, stdout, stderr].join('\n'), { cause: error });
  }
}

const bin = (name: string): string => join(ROOT, 'node_modules', '.bin', name);

beforeAll(async () => {
  mkdirSync(project);
  // A copy, so that nothing here meets the build of whoever works in the checkout.
  for (const path of BUILD_FILES) cpSync(ROOT + path, join(project, path), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(project, 'node_modules'));
  await run('npm', ['run', 'build'], project);
  const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', place];
  [packed] = JSON.parse(await run('npm', pack, project)) as [Packed];
  tarball = join(place, packed.filename);
  mkdirSync(installed, { recursive: true });
  await run('tar', ['-xzf', tarball, '--strip-components=1', '-C', installed], place);
  for (const name of OF_THE_CONSUMER) {
    const target = join(ROOT, 'node_modules', name);
    const link = join(consumer, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    if (existsSync(target)) symlinkSync(target, link);
  }
  cpSync(join(ROOT, 'test/meta/consumer'), consumer, { recursive: true });
}, 120_000);

afterAll(() => rmSync(place, { recursive: true }));

const isTestingFile = (path: string): boolean => path.startsWith('dist/testing/');

/** What a file of the package leads to, by its imports. */
function reachedFrom(path: string, seen = new Set<string>()): Set<string> {
  if (seen.has(path)) return seen;
  seen.add(path);
  const file = parse(readFileSync(join(installed, path), 'utf8'), path);
  for (const { specifier } of importsOf(file)) {
    const target = targetOf(file, specifier)?.replace(/\.ts$/, '.js');
    if (target !== undefined) reachedFrom(target, seen);
  }
  return seen;
}

describe('the packed files', () => {
  it('are the pages, package.json, and a module and its declarations for each source', () => {
    const built = filesIn('src', '.ts').flatMap((path) => {
      const module = path.replace(/^src/, 'dist').replace(/\.ts$/, '');
      return [`${module}.js`, `${module}.d.ts`];
    });
    const expected = [...PAGES, 'package.json', ...built];
    expect(packed.files.map(({ path }) => path).toSorted()).toEqual(expected.toSorted());
  });

  it('are small', () => {
    expect(packed.size).toBeLessThan(450_000);
    expect(packed.unpackedSize).toBeLessThan(1_500_000);
  });

  it('name no source map, and nothing of the machine that built them', () => {
    const suspect = packed.files.filter(({ path }) => {
      const text = readFileSync(join(installed, path), 'utf8');
      return text.includes('sourceMappingURL') || text.includes(place) || text.includes(ROOT);
    });
    expect(suspect).toEqual([]);
  });

  it('reach nothing of ./testing from the main entry, and the main entry from nowhere', () => {
    const main = [...reachedFrom('dist/index.js')];
    expect(main.length).toBeGreaterThan(40);
    expect(main.filter(isTestingFile)).toEqual([]);
    expect([...reachedFrom('dist/testing/index.js')]).not.toContain('dist/index.js');
  });
});

describe('package.json', () => {
  const manifest = packageJson as Record<string, unknown>;

  it('has no runtime dependency, and nothing that runs when it is installed', () => {
    const dependencies = [
      'dependencies',
      'optionalDependencies',
      'bundledDependencies',
      'bundleDependencies',
    ];
    expect(dependencies.filter((key) => key in manifest)).toEqual([]);
    const hooks = [
      'preinstall',
      'install',
      'postinstall',
      'prepublish',
      'preprepare',
      'prepare',
      'postprepare',
    ];
    expect(hooks.filter((key) => key in packageJson.scripts)).toEqual([]);
  });

  it('offers the two entries and itself, to import and to require alike', () => {
    expect(packageJson.exports).toEqual({
      '.': { types: './dist/index.d.ts', default: './dist/index.js' },
      './testing': { types: './dist/testing/index.d.ts', default: './dist/testing/index.js' },
      './package.json': './package.json',
    });
    expect(packageJson).toMatchObject({
      type: 'module',
      main: './dist/index.js',
      types: './dist/index.d.ts',
      // For compilers that do not read `exports`: "moduleResolution": "node10".
      typesVersions: { '*': { testing: ['./dist/testing/index.d.ts'] } },
    });
  });

  it('is clean to publint and to attw', async () => {
    await run(bin('publint'), ['run', tarball, '--strict'], place);
    await run(bin('attw'), [tarball, '--profile', 'esm-only', '--no-definitely-typed'], place);
  });
});

describe('package-lock.json', () => {
  interface Locked {
    readonly devDependencies?: Readonly<Record<string, string>>;
    readonly optionalDependencies?: Readonly<Record<string, string>>;
  }
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> };

  it('is of this package.json', () => {
    expect(packages['']!.devDependencies).toEqual(packageJson.devDependencies);
  });

  it('has the parts of every platform, without which `npm ci` refuses it on all of them', () => {
    const locked = new Set(Object.keys(packages).map((path) => path.split('node_modules/').at(-1)));
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies)
        .filter((name) => !locked.has(name))
        .map((name) => `${path}: ${name}`),
    );
    expect(missing).toEqual([]);
  });
});

describe('the declarations', () => {
  it('are sound by themselves', () => {
    const options = optionsOf('tsconfig.json', { skipLibCheck: false, paths: {}, rootDir: undefined });
    const entries = ['dist/index.d.ts', 'dist/testing/index.d.ts'].map((path) => join(installed, path));
    const program = programOf([], options, { files: entries });
    expect(complaints(program, (path) => path.startsWith(installed))).toEqual([]);
  });

  it.each(['module', 'commonjs'])('give an application of type %s what the sources give', (type) => {
    const folder = join(consumer, type);
    cpSync(join(ROOT, 'test/types'), folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type }));
    const files = filesIn('test/types', '.test-d.ts').map((path) => join(folder, path.split('/').at(-1)!));
    const options = optionsOf('tsconfig.json', {
      paths: {},
      rootDir: undefined,
      verbatimModuleSyntax: false,
    });
    const program = programOf([], options, { files });
    expect(complaints(program, (path) => path.startsWith(folder))).toEqual([]);
  });
});

describe('an application', () => {
  const answers = {
    kept: { status: 201, body: { isInTransaction: true } },
    lost: { status: 409, body: { statusCode: 409, message: 'on purpose', error: 'Conflict' } },
    texts: ['kept by the repository', 'kept by the session'],
    fake: 1,
    statements: 1,
  };

  it('imports the package, keeps what succeeds and loses what fails', async () => {
    const printed = await run(process.execPath, ['by-import.mjs'], consumer);
    expect(JSON.parse(printed)).toEqual({
      ...answers,
      testingInMain: [],
      inside: 'ERR_PACKAGE_PATH_NOT_EXPORTED',
    });
  });

  it('requires the package, and has the same one', async () => {
    const printed = await run(process.execPath, ['by-require.cjs'], consumer);
    expect(JSON.parse(printed)).toEqual({ ...answers, isOne: true });
  });
});
