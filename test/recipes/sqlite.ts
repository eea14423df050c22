/** SQLite in an application of many requests: units of work take turns. */
import { ScopedSessionModule } from 'nestjs-scoped-session';

/** For sql.js, for databases in memory, and for a file that shall keep one connection. */
export const takingTurns = ScopedSessionModule.forRoot({
  gateTimeoutMs: 2_000, // how long one waits for his turn
});

/** For a file of better-sqlite3: whoever only reads waits for nobody. */
export const readingMeanwhile = ScopedSessionModule.forRoot({
  sqliteConnections: 'perSession',
  gateTimeoutMs: 2_000,
});
