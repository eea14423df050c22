/** GTIDs of MariaDB and MySQL: each has words of its own, which the other one reads as comments. */
import { laterOfEach, type Positions } from './positions.js';

interface Connection {
  query(sql: string, values: unknown[], answered: (error: Error | null, rows: unknown) => void): void;
}

const READ = 'SELECT /*!50700 @@GLOBAL.gtid_executed */ /*M! @@last_gtid */ AS position';
const REACH = 'SELECT /*!50700 WAIT_FOR_EXECUTED_GTID_SET( */ /*M! MASTER_GTID_WAIT( */ ?, ?) AS late';

/** `domain-server-number`, and `server:number-number:…`, which a tag may precede. */
const OF_MARIADB = /^\d{1,10}-\d{1,10}-(\d{1,20})$/;
const OF_MYSQL = /^([0-9a-f-]{36}(?::[a-z_]\w{0,31})?)((?::\d{1,19}(?:-\d{1,19})?)+)$/i;
const LONGEST = 4_096;

export const mysqlPositions: Positions = {
  read: async (connection) => {
    const { position } = await ask<{ position: string | null }>(connection, READ, []);
    // MySQL breaks long ones into lines; nothing is told where no log is written.
    return position?.replaceAll(/\s/g, '') || undefined;
  },
  reach: async (connection, position, timeoutMs) => {
    const { late } = await ask<{ late: unknown }>(connection, REACH, [position, timeoutMs / 1_000]);
    return Number(late) === 0 && late !== null;
  },
  isPosition: (text) =>
    text.length <= LONGEST && text.split(',').every((part) => OF_MARIADB.test(part) || OF_MYSQL.test(part)),
  later: (one, other) => (one === other ? one : laterOfEach(one, other, split)),
};

/** A transaction of MariaDB stands behind all earlier ones of its domain; MySQL lists everything up to a number. */
function split(part: string): { origin: string; place: bigint } {
  const place = BigInt(/\d+$/.exec(part)?.[0] ?? 0);
  const origin = OF_MARIADB.test(part)
    ? part.slice(0, part.indexOf('-'))
    : (OF_MYSQL.exec(part)?.[1] ?? part);
  return { origin, place };
}

function ask<Row>(connection: unknown, sql: string, values: unknown[]): Promise<Row> {
  return new Promise((resolve, reject) =>
    (connection as Connection).query(sql, values, (error, rows) =>
      error === null ? resolve((rows as Row[])[0]!) : reject(error),
    ),
  );
}
