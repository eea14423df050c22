/** How the keys that a database makes come to be known, on each kind of database. */
import type { Driver, QueryRunner } from 'typeorm';

export function isMysql({ options }: Driver): boolean {
  return options.type === 'mysql' || options.type === 'mariadb';
}

export function isSqlite({ options }: Driver): boolean {
  return options.type === 'sqljs' || options.type === 'better-sqlite3';
}

/** SQLite can since 3.35, though TypeORM does not use it. */
export function canReturnInserted(driver: Driver): boolean {
  return isSqlite(driver) || driver.isReturningSqlSupported('insert');
}

const INCREMENTS = new WeakMap<QueryRunner, number>();

/**
 * Whether the keys of a statement's rows follow each other: then the first tells them all. InnoDB gives a statement whose
 * rows are known its keys in one piece, in every innodb_autoinc_lock_mode. The step is each connection's own, and a Galera
 * cluster changes it with the number of its nodes: every runner asks for itself.
 */
export async function hasConsecutiveKeys(runner: QueryRunner): Promise<boolean> {
  let increment = INCREMENTS.get(runner);
  if (increment === undefined) {
    const rows = (await runner.query('SELECT @@auto_increment_increment AS step')) as { step: unknown }[];
    increment = Number(rows[0]?.step);
    INCREMENTS.set(runner, increment);
  }
  return increment === 1;
}
