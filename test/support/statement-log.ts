/** Writes down every statement that TypeORM sends, and on which runner. */
import { AbstractLogger, type LogLevel, type LogMessage, type QueryRunner } from 'typeorm';

export interface LoggedStatement {
  readonly sql: string;
  readonly runner: QueryRunner | undefined;
}

export class StatementLog extends AbstractLogger {
  readonly statements: LoggedStatement[] = [];

  constructor() {
    super('all');
  }

  override logQuery(sql: string, _parameters?: unknown, runner?: QueryRunner): void {
    // TypeORM's sql.js driver reads the new key past every runner, on the connection that its statement was sent on.
    if (sql !== 'SELECT last_insert_rowid()') this.statements.push({ sql, runner });
  }

  /** The statements since the last call, without what only looks at the server. */
  take(): LoggedStatement[] {
    return this.statements.splice(0);
  }

  protected writeLog(_level: LogLevel, _message: LogMessage | LogMessage[]): void {
    // Nothing is printed.
  }
}

export const isBegin = ({ sql }: LoggedStatement): boolean => /^(START TRANSACTION|BEGIN)/.test(sql);
export const isEnd = ({ sql }: LoggedStatement): boolean => /^(COMMIT|ROLLBACK$)/.test(sql);
