/** The notes application of a CommonJS module. */
require('reflect-metadata');
const common = require('@nestjs/common');
const core = require('@nestjs/core');
const nestTypeorm = require('@nestjs/typeorm');
const library = require('nestjs-scoped-session');
const testing = require('nestjs-scoped-session/testing');
const typeorm = require('typeorm');
const { answers } = require('./notes-app.cjs');

async function main() {
  const imported = await import('nestjs-scoped-session');
  const found = await answers({ common, core, nestTypeorm, typeorm, library, testing });
  console.log(JSON.stringify({ ...found, isOne: imported.ScopedSession === library.ScopedSession }));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
