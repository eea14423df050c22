/** The house: which room may import which, and only through its door. */
import { isBuiltin } from 'node:module';
import { describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import {
  filesIn,
  type Import,
  importsOf,
  parse,
  type SourceFile,
  sourceFiles,
  targetOf,
} from './source-files.js';

const NODE = 'node';
const DRIVERS = ['mysql2', 'pg', 'better-sqlite3', 'sql.js'];
const NEST = ['@nestjs/common', '@nestjs/core', 'rxjs'];
const BELOW_NEST = ['errors', 'scope', 'engine', 'unit-of-work', 'session', 'background', 'observe'] as const;

interface Allowed {
  readonly rooms: readonly string[];
  readonly packages: readonly string[];
}

/** A folder of src, or one of the two files beside them; what is not here may be imported by nobody and import nothing. */
const TABLE: Readonly<Record<string, Allowed>> = {
  errors: { rooms: [], packages: [] },
  scope: { rooms: ['errors'], packages: [NODE] },
  engine: { rooms: ['errors'], packages: [NODE, 'typeorm', ...DRIVERS] },
  'unit-of-work': { rooms: ['errors'], packages: [NODE, 'typeorm'] },
  session: { rooms: ['errors', 'scope', 'engine', 'unit-of-work'], packages: [NODE, 'typeorm'] },
  background: { rooms: ['errors', 'scope', 'session'], packages: [NODE] },
  observe: { rooms: ['errors', 'engine', 'session'], packages: [NODE] },
  nest: { rooms: BELOW_NEST, packages: [NODE, 'typeorm', ...NEST] },
  testing: { rooms: [...BELOW_NEST, 'nest'], packages: [NODE, 'typeorm', ...NEST] },
  index: { rooms: [...BELOW_NEST, 'nest'], packages: [] },
};

function roomOf(path: string): string {
  // The base of all errors, and parts of them, which only their file knows.
  if (/^src\/[a-z-]+-errors?\.ts$/.test(path)) return 'errors';
  const [, first = '', rest] = path.split('/');
  return rest === undefined ? first.replace(/\.ts$/, '') : first;
}

function packageOf(specifier: string): string {
  if (isBuiltin(specifier)) return NODE;
  const [scope, name] = specifier.split('/');
  return scope!.startsWith('@') ? `${scope}/${name}` : scope!;
}

/** Why this import may not be; undefined when it may. */
function objectionTo(file: SourceFile, { specifier }: Import): string | undefined {
  const room = roomOf(file.path);
  const allowed = TABLE[room];
  if (allowed === undefined) return `${room} is no room of the table`;
  const target = targetOf(file, specifier);
  if (target === undefined) {
    const name = packageOf(specifier);
    return allowed.packages.includes(name) ? undefined : `${room} may not import ${name}`;
  }
  const goal = roomOf(target);
  if (!target.startsWith('src/')) return `${target} is outside src`;
  if (!specifier.endsWith('.js')) return 'the extension .js is missing';
  if (goal === room && target.split('/').length <= 3) return undefined;
  if (!allowed.rooms.includes(goal)) return `${room} may not import ${goal}`;
  const door = goal === 'errors' ? 'src/errors.ts' : `src/${goal}/index.ts`;
  return target === door ? undefined : `${goal} is entered through its index.js only`;
}

function objections(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    importsOf(file).flatMap((found) => {
      const objection = objectionTo(file, found);
      return objection === undefined
        ? []
        : [`${file.path}:${found.line} imports ${found.specifier}: ${objection}`];
    }),
  );
}

/** The first way found from a file back to itself. */
function cycleIn(files: readonly SourceFile[]): string[] | undefined {
  const arrows = new Map(
    files.map((file) => [file.path, importsOf(file).map(({ specifier }) => targetOf(file, specifier))]),
  );
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): string[] | undefined => {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path];
    if (done.has(path)) return undefined;
    for (const target of arrows.get(path) ?? []) {
      const cycle = target === undefined ? undefined : visit(target, [...way, path]);
      if (cycle !== undefined) return cycle;
    }
    done.add(path);
    return undefined;
  };
  for (const { path } of files) {
    const cycle = visit(path, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

const files = sourceFiles();

describe('the rooms of src', () => {
  it('import only what the table allows, and each other through index.js only', () => {
    expect(objections(files)).toEqual([]);
  });

  it('import files that exist', () => {
    const known = new Set(files.map(({ path }) => path));
    const missing = files.flatMap((file) =>
      importsOf(file)
        .map(({ specifier }) => targetOf(file, specifier))
        .filter((target) => target !== undefined && !known.has(target))
        .map((target) => `${file.path} imports ${target}`),
    );
    expect(missing).toEqual([]);
  });

  it('have no cycle between files, imports of types included', () => {
    expect(cycleIn(files)).toBeUndefined();
  });

  it('are each in the table and each have an index.ts', () => {
    const folders = new Set(filesIn('src').flatMap((path) => path.split('/').slice(1, -1)));
    const outside = [...folders].filter((folder) => !Object.hasOwn(TABLE, folder));
    const withoutDoor = [...folders].filter((folder) => !filesIn('src').includes(`src/${folder}/index.ts`));
    expect({ outside, withoutDoor }).toEqual({ outside: [], withoutDoor: [] });
  });

  it('import from outside nothing but Node and the peer dependencies of the package', () => {
    const peers = new Set([NODE, ...Object.keys(packageJson.peerDependencies)]);
    const foreign = files.flatMap((file) =>
      importsOf(file)
        .filter(({ specifier }) => !specifier.startsWith('.') && !peers.has(packageOf(specifier)))
        .map(({ specifier }) => `${file.path} imports ${specifier}`),
    );
    expect(foreign).toEqual([]);
  });
});

describe('the rules themselves', () => {
  it.each([
    ['src/scope/a.ts', "import { DataSource } from 'typeorm';", 'scope may not import typeorm'],
    ['src/scope/a.ts', "import type { Engine } from '../engine/index.js';", 'scope may not import engine'],
    ['src/session/a.ts', "import { of } from 'rxjs';", 'session may not import rxjs'],
    ['src/engine/a.ts', "export * from '@nestjs/common';", 'engine may not import @nestjs/common'],
    ['src/engine/a.ts', "export { run } from '../session/index.js';", 'engine may not import session'],
    ['src/engine/a.ts', "let a: import('../scope/index.js').Scope;", 'engine may not import scope'],
    [
      'src/nest/a.ts',
      "import { Lease } from '../engine/lease.js';",
      'engine is entered through its index.js',
    ],
    ['src/nest/a.ts', "void import('../testing/index.js');", 'nest may not import testing'],
    ['src/nest/a.ts', "import { Session } from '../index.js';", 'nest may not import index'],
    ['src/index.ts', "export { fakeSession } from './testing/index.js';", 'index may not import testing'],
    ['src/errors.ts', "import { inspect } from 'node:util';", 'errors may not import node'],
    ['src/session/a.ts', "const fs = require('pg');", 'session may not import pg'],
    ['src/pool/a.ts', "import '../errors.js';", 'pool is no room of the table'],
  ])('object to what %s says in %s', (path, text, objection) => {
    expect(objections([parse(text, path)])).toEqual([expect.stringContaining(objection)]);
  });

  it('find a cycle that only a type closes', () => {
    const cycle = cycleIn([
      parse("import { b } from './b.js';", 'src/scope/a.ts'),
      parse("export { c } from './c.js';", 'src/scope/b.ts'),
      parse("import type { A } from './a.js';", 'src/scope/c.ts'),
    ]);
    expect(cycle).toEqual(['src/scope/a.ts', 'src/scope/b.ts', 'src/scope/c.ts', 'src/scope/a.ts']);
  });
});
