/** Runs every check on Express and Fastify, on a server and on sql.js; says what it ran on, and each check that failed. */
import 'reflect-metadata';
import { BODIES } from './body-checks.js';
import { type Checks, runCheck } from './check.js';
import { type Database, memoryDatabase, mysqlDatabase } from './databases.js';
import { MESSAGES } from './message-checks.js';
import { PARTS } from './part-checks.js';
import { REQUESTS } from './request-checks.js';
import { SHUTDOWN } from './shutdown-checks.js';
import { type Platform, PLATFORMS, Stage } from './stage.js';
import { versionOf } from './versions.js';

const CHECKS: Checks = { ...REQUESTS, ...PARTS, ...BODIES, ...MESSAGES, ...SHUTDOWN };

interface Failure {
  readonly where: string;
  readonly check: string;
  readonly error: unknown;
}

async function runOn(database: Database, platform: Platform): Promise<Failure[]> {
  const where = `${platform}, ${database.name}`;
  const stage = await Stage.start(database, platform);
  const failures: Failure[] = [];
  for (const [check, run] of Object.entries(CHECKS)) {
    await runCheck(stage, run).catch((error: unknown) => failures.push({ where, check, error }));
  }
  return failures;
}

async function main(): Promise<void> {
  const url = process.env['MATRIX_DATABASE_URL'];
  if (url === undefined) throw new Error('MATRIX_DATABASE_URL has to name a database.');
  const databases = [await mysqlDatabase(url), memoryDatabase()];
  const failures: Failure[] = [];
  for (const database of databases) {
    for (const platform of PLATFORMS) failures.push(...(await runOn(database, platform)));
    await database.close();
  }
  for (const { where, check, error } of failures) console.error(`${where}: ${check}`, error);
  const versions = ['@nestjs/core', 'typeorm'].map((name) => `${name} ${versionOf(name)}`);
  const checks = Object.keys(CHECKS).length * PLATFORMS.length * databases.length;
  console.log(JSON.stringify({ node: process.version, versions, checks, failed: failures.length }));
  if (failures.length > 0) process.exitCode = 1;
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
