/** SQLite in an application of many requests: units of work take turns. */
import type { ScopedSessionModuleOptions } from 'nestjs-scoped-session';

/** `ScopedSessionModule.forRoot(takingTurns)`: for sql.js, for databases in memory, for a file with one connection. */
export const takingTurns: ScopedSessionModuleOptions = {
  gateTimeoutMs: 2_000, // how long one waits for his turn
};

/** `ScopedSessionModule.forRoot(readingMeanwhile)`: for a file of better-sqlite3. Who only reads waits for nobody. */
export const readingMeanwhile: ScopedSessionModuleOptions = {
  sqliteConnections: 'perSession',
  gateTimeoutMs: 2_000,
};
