/** The cells of the matrix, and the versions that each of them is made of. */

/** Direct dependencies, each at one version: what a run installs is what the last one did. */
const NEST = {
  11: {
    '@nestjs/common': '11.2.10',
    '@nestjs/core': '11.2.10',
    '@nestjs/microservices': '11.2.6',
    '@nestjs/platform-express': '11.2.10',
    '@nestjs/platform-fastify': '11.2.8',
    '@nestjs/platform-ws': '11.2.6',
    '@nestjs/typeorm': '11.0.3',
    '@nestjs/websockets': '11.2.6',
    typescript: '5.9.3',
  },
  12: {
    '@nestjs/common': '12.5.1',
    '@nestjs/core': '12.5.1',
    '@nestjs/microservices': '12.1.1',
    '@nestjs/platform-express': '12.5.1',
    '@nestjs/platform-fastify': '12.5.0',
    '@nestjs/platform-ws': '12.1.1',
    '@nestjs/typeorm': '12.0.2',
    '@nestjs/websockets': '12.1.1',
    typescript: '6.0.3',
  },
};

const REST = {
  '@types/express': '5.0.6',
  '@types/node': '20.19.43',
  '@types/ws': '8.18.2',
  mysql2: '3.24.5',
  'reflect-metadata': '0.2.2',
  rxjs: '7.8.2',
  'sql.js': '1.16.0',
  ws: '8.23.0',
};

/** The lowest versions of the ranges in package.json, and of `engines`; those of pg and better-sqlite3 are not tested. */
const FLOOR_NODE = ['20.19.0', '22.13.0', '24.11.0'];
const FLOOR = {
  '@nestjs/common': '11.0.0',
  '@nestjs/core': '11.0.0',
  '@nestjs/microservices': '11.0.0',
  '@nestjs/platform-express': '11.0.0',
  // Before it, it accepted Nest 10 only.
  '@nestjs/platform-fastify': '11.0.3',
  '@nestjs/platform-ws': '11.0.5',
  '@nestjs/typeorm': '11.0.0',
  '@nestjs/websockets': '11.0.0',
  typescript: '5.9.3',
  '@types/express': '5.0.6',
  '@types/node': '20.19.43',
  '@types/ws': '8.18.2',
  mysql2: '3.9.8',
  'reflect-metadata': '0.2.0',
  rxjs: '7.8.0',
  // The first that works on Node 18 and newer.
  'sql.js': '1.8.0',
  ws: '8.23.0',
  typeorm: '0.3.28',
};

const JEST = {
  '@nestjs/testing': '11.2.6',
  '@types/jest': '30.0.0',
  jest: '30.5.2',
  'ts-jest': '29.4.15',
};

const TYPEORM = ['0.3.31', '1.1.1'];
const NODE = ['20', '22', '24'];
const MODULES = ['cjs', 'esm'];

/** Those that continuous integration runs: the oldest corner and the newest. */
const CORNERS = ['nest11-typeorm0.3-node20-cjs', 'nest12-typeorm1.1-node24-esm'];

/**
 * One cell: a consumer on Express and on Fastify, on a MySQL-protocol server and on sql.js.
 *
 * @typedef {object} Cell
 * @property {string} name
 * @property {string} project what it is installed into; cells of one project share it
 * @property {Record<string, string>} dependencies
 * @property {string} node a version, or its beginning
 * @property {'cjs' | 'esm' | 'jest'} kind
 * @property {boolean} isCorner
 */

/** @type {Cell[]} */
export const CELLS = [
  ...Object.entries(NEST).flatMap(([nest, packages]) =>
    TYPEORM.flatMap((typeorm) =>
      NODE.flatMap((node) =>
        MODULES.map((kind) => {
          const project = `nest${nest}-typeorm${typeorm.split('.', 2).join('.')}`;
          const name = `${project}-node${node}-${kind}`;
          const dependencies = { ...packages, ...REST, typeorm };
          return { name, project, dependencies, node, kind, isCorner: CORNERS.includes(name) };
        }),
      ),
    ),
  ),
  ...FLOOR_NODE.flatMap((node) =>
    MODULES.map((kind) => ({
      name: `floor-node${node}-${kind}`,
      project: 'floor',
      dependencies: FLOOR,
      node,
      kind,
      isCorner: false,
    })),
  ),
  {
    name: 'nest11-jest',
    project: 'nest11-jest',
    dependencies: { ...NEST[11], ...REST, ...JEST, typeorm: '1.1.1' },
    node: '20',
    kind: 'jest',
    isCorner: false,
  },
];
