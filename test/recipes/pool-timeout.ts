/** How long anybody waits for a connection. */
import { ScopedSessionModule } from 'nestjs-scoped-session';

/** Beside `TypeOrmModule.forRoot({ …, poolSize: 10 })` in the imports of the application's module. */
export const sessions = ScopedSessionModule.forRoot({
  poolTimeoutMs: 200, // then SS_ERR_POOL_TIMEOUT: 503 with Retry-After
});
