/** Whether a connection of MariaDB waits for a row lock. */
import type { TestDatabase } from './databases.js';

/** By the engine's own report: innodb_trx is a copy that is not renewed while anybody, in any test file, keeps reading it. */
export async function waitsForLock(database: TestDatabase, connection: number): Promise<boolean> {
  const [report] = await database.ask<{ Status: string }>('SHOW ENGINE INNODB STATUS');
  const transactions = report!.Status.split('---TRANSACTION');
  return transactions.some((text) => text.includes(`thread id ${connection},`) && text.includes('LOCK WAIT'));
}
