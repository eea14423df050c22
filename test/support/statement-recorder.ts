/** What the database was sent, as the conformance rows count it: transaction control in order, and all the rest. */
import { StatementLog } from './statement-log.js';

/** The words of transaction control, in the spelling of the rows, whatever the database calls them. */
const SPELLINGS: readonly (readonly [RegExp, string])[] = [
  [/^(?:START TRANSACTION|BEGIN)\b.*$/, 'BEGIN'],
  [/^SAVEPOINT (\w+)$/, 'SAVEPOINT $1'],
  [/^RELEASE SAVEPOINT (\w+)$/, 'RELEASE $1'],
  [/^ROLLBACK TO SAVEPOINT (\w+)$/, 'ROLLBACK TO $1'],
  [/^(COMMIT|ROLLBACK)$/, '$1'],
];

export class StatementRecorder extends StatementLog {
  /** TC of the rows: begin, savepoints, commit and rollback, since the last `take()`. */
  get transactionControl(): string[] {
    return this.statements.flatMap(({ sql }) => {
      const spelling = SPELLINGS.find(([pattern]) => pattern.test(sql));
      return spelling === undefined ? [] : [sql.replace(...spelling)];
    });
  }

  /** SQL of the rows: queries and changes of rows, since the last `take()`. */
  get rowStatements(): string[] {
    return this.statements
      .map(({ sql }) => sql)
      .filter((sql) => /^\s*(select|insert|update|delete)\b/i.test(sql));
  }
}
