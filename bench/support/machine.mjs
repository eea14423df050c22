/** The line that figures cannot be read without: on which machine, with what, and how busy it was. */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';

/** @param {string} [server] - what the database server calls itself */
export function machine(server) {
  const [{ model }] = cpus();
  const packages = ['@nestjs/core', 'typeorm', 'mysql2'].map((name) => `${name} ${versionOf(name)}`);
  return [
    new Date().toISOString().slice(0, 10),
    `${availableParallelism()} × ${model.trim()}`,
    `Node ${process.versions.node}`,
    ...(server === undefined ? [] : [server]),
    ...packages,
  ].join(', ');
}

/** Load averages of the last minute; more than the number of cores means that others were measured as well. */
export function busy() {
  return `load average ${loadavg()[0].toFixed(2)}`;
}

function versionOf(name) {
  const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')).version;
}
