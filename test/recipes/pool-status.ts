/** Who holds the connections: counters for a health check, of the runners that others have made as well. */
import { Controller, Get, ServiceUnavailableException } from '@nestjs/common';
import { ScopedSession } from 'nestjs-scoped-session';

@Controller('health')
export class HealthController {
  constructor(private readonly session: ScopedSession) {}

  @Get()
  pool() {
    const counters = this.session.sessionFactory.engine!.status(); // takes no connection
    if (counters.waiting > 0) throw new ServiceUnavailableException(counters);
    return counters;
  }
}
