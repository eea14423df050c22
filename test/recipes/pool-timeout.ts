/** How long anybody waits for a connection. */
import type { ScopedSessionModuleOptions } from 'nestjs-scoped-session';

/** `ScopedSessionModule.forRoot(waiting)`, beside `TypeOrmModule.forRoot({ …, poolSize: 10 })`. */
export const waiting: ScopedSessionModuleOptions = {
  poolTimeoutMs: 200, // for the turn, the connection and its first answer together; then SS_ERR_POOL_TIMEOUT
};
