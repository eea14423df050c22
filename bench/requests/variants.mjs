/** What is compared on which route, and against what. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const PLATFORMS = ['express', 'fastify'];

/** How many accounts each connection of the load has for itself, so that no two requests wait for one row. */
const ACCOUNTS_EACH = 32;

export const CONNECTIONS = 32;
export const POOL_SIZE = 10;
export const ACCOUNTS = CONNECTIONS * ACCOUNTS_EACH;

const pathsOf = (number, path) =>
  Array.from({ length: ACCOUNTS_EACH }, (_, place) => path(number * ACCOUNTS_EACH + place + 1));

/** `requests(number)`: method and paths of connection `number`. `reference`: what ratios are ratios to. */
export const ROUTES = [
  {
    name: 'nothing',
    title: 'no database',
    reference: 'pass-through',
    method: 'GET',
    paths: () => ['/nothing'],
  },
  {
    name: 'read',
    title: 'one SELECT',
    reference: 'hand-written',
    method: 'GET',
    paths: (number) => pathsOf(number, (id) => `/accounts/${id}`),
  },
  {
    name: 'withdraw',
    title: 'SELECT + UPDATE + INSERT',
    reference: 'hand-written',
    method: 'POST',
    paths: (number) => pathsOf(number, (id) => `/accounts/${id}/withdrawals`),
  },
];

const EVERYWHERE = ROUTES.map(({ name }) => name);
const WITH_DATABASE = ['read', 'withdraw'];

/**
 * `file`: below variants/. `control`: a second process of the same code as the reference, whose ratio would be 1 on a quiet
 * machine; it is the ruler to read the others with. `context-only` is what any library must at least cost that is found without
 * being passed. `needs`: a package of bench/package.json.
 */
export const VARIANTS = [
  { name: 'bare', title: 'bare: no interceptor, no transaction', file: 'bare', routes: EVERYWHERE },
  {
    name: 'pass-through',
    title: 'one pass-through interceptor',
    file: 'pass-through',
    routes: ['nothing'],
  },
  {
    name: 'pass-through-again',
    title: 'the same again (control)',
    file: 'pass-through',
    routes: ['nothing'],
  },
  { name: 'hand-written', title: 'hand-written transaction', file: 'hand-written', routes: WITH_DATABASE },
  {
    name: 'hand-written-again',
    title: 'the same again (control)',
    file: 'hand-written',
    routes: WITH_DATABASE,
  },
  {
    name: 'context-only',
    title: 'the reference inside an AsyncLocalStorage',
    file: 'context-only',
    routes: EVERYWHERE,
  },
  {
    name: 'ours-repositories',
    title: 'nestjs-scoped-session, repositories',
    file: 'ours-repositories',
    routes: EVERYWHERE,
  },
  {
    name: 'ours-session',
    title: 'nestjs-scoped-session, @Session()',
    file: 'ours-session',
    routes: EVERYWHERE,
  },
  {
    name: 'ours-implicit',
    title: "the same, begin: 'implicit'",
    file: 'ours-implicit',
    routes: WITH_DATABASE,
  },
  {
    name: 'ours-first-write',
    title: "the same, begin: 'firstWrite'",
    file: 'ours-first-write',
    routes: WITH_DATABASE,
  },
  {
    name: 'ours-execute',
    title: "nestjs-scoped-session, execute(), 'implicit'",
    file: 'ours-execute',
    routes: WITH_DATABASE,
  },
  { name: 'raw-mysql2', title: 'mysql2 by hand, no ORM', file: 'raw-mysql2', routes: WITH_DATABASE },
  {
    name: 'request-scoped',
    title: 'REQUEST-scoped query runner',
    file: 'request-scoped',
    routes: EVERYWHERE,
  },
  {
    name: 'typeorm-transactional',
    title: 'typeorm-transactional',
    file: 'typeorm-transactional',
    routes: EVERYWHERE,
    needs: 'typeorm-transactional',
  },
  {
    name: 'nestjs-cls',
    title: '@nestjs-cls/transactional',
    file: 'nestjs-cls',
    routes: EVERYWHERE,
    needs: '@nestjs-cls/transactional',
  },
];

export const NOT_INSTALLED = 'not installed (npm ci --prefix bench)';

export function isInstalled({ needs }) {
  if (needs === undefined) return true;
  return existsSync(fileURLToPath(new URL(`../node_modules/${needs}/package.json`, import.meta.url)));
}
