/** Whether a statement ends the transaction that it is sent in, whatever the server's status says afterwards. */
import type { DatabaseFamily } from './backend.js';
import { withoutComments } from './is-write.js';

/** With AND CHAIN, or a BEGIN behind it in the same text, the status afterwards is that of the next transaction. */
const BY_NAME =
  /^(?:commit|end|abort|rollback(?!\s+(?:(?:work|transaction)\s+)?to\b)|prepare\s+transaction)\b/i;

/** MySQL commits what is open when the next one begins; elsewhere that is an error, or nothing. */
const BEGINS = /^(?:start\s+transaction|begin(?!\s+not\b))\b/i;

/** MySQL commits before such a statement, also when it then fails; the table statements answer with rows, without status. */
const COMMITS_FIRST =
  /^(?:alter|(?:create|drop)(?!\s+(?:or\s+replace\s+)?temporary\b|\s+prepare\b)|rename|truncate|grant|revoke|lock\s+tables?|flush|reset|cache\s+index|load\s+index|set\s+password|(?:un)?install|(?:analyze|check|optimize|repair)\s+(?:(?:no_write_to_binlog|local)\s+)?tables?)\b/i;

const SETS_AUTOCOMMIT = /^set\b.*\bautocommit\b/is;

export function endsTransaction(sql: string, family: DatabaseFamily): boolean {
  const statement = withoutComments(sql);
  if (BY_NAME.test(statement)) return true;
  return family === 'mysql' && (BEGINS.test(statement) || COMMITS_FIRST.test(statement));
}

/** A connection on which autocommit was set must not go back: for the next user without a transaction it decides. */
export function setsAutocommit(sql: string, family: DatabaseFamily): boolean {
  return family === 'mysql' && SETS_AUTOCOMMIT.test(withoutComments(sql));
}
