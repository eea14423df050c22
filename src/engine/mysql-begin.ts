/** How transactions begin on MySQL: by name, or by any statement on a connection that has no autocommit. */
import type { BeginSettings, IsolationLevel } from './isolation.js';

const START = ['START TRANSACTION'];
export const AUTOCOMMIT = ['SET autocommit = 1'];

export class MysqlBegin {
  readonly #withoutAutocommit = new WeakSet<object>();

  /** Whether a statement outside every transaction would never be committed there. */
  isWithoutAutocommit(connection: object): boolean {
    return this.#withoutAutocommit.has(connection);
  }

  /** The server has put its session back to how it began. */
  reset(connection: object): void {
    this.#withoutAutocommit.delete(connection);
  }

  /**
   * @param usual - the level that the connection was opened with
   * @param xid - of the branch that is begun; undefined without two phases
   */
  statements(
    connection: object,
    { begin, isolation, readOnly }: BeginSettings,
    usual: IsolationLevel | undefined,
    xid: string | undefined,
  ): readonly string[] {
    // For the next transaction only.
    const level =
      isolation === undefined || isolation === usual ? [] : [`SET TRANSACTION ISOLATION LEVEL ${isolation}`];
    if (xid !== undefined) return [...level, `XA START ${xid}`];
    if (readOnly === true) return [...level, 'START TRANSACTION READ ONLY'];
    if (begin !== 'implicit') return level.length === 0 ? START : [...level, ...START];
    if (this.#withoutAutocommit.has(connection)) return level;
    this.#withoutAutocommit.add(connection);
    return ['SET autocommit = 0', ...level];
  }

  /** What makes the connection fit for statements that commit by themselves. */
  plainStatements(connection: object): readonly string[] {
    return this.#withoutAutocommit.delete(connection) ? AUTOCOMMIT : [];
  }
}
