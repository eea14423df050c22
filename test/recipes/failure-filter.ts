/** An exception filter that still knows its request, and stores what went wrong in a unit of work of its own. */
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import { ScopedSession } from 'nestjs-scoped-session';

@Catch(HttpException)
export class FailureFilter implements ExceptionFilter {
  constructor(private readonly session: ScopedSession) {}

  async catch(error: HttpException, host: ArgumentsHost): Promise<void> {
    // The request's own work is rolled back by now; this is kept.
    await this.session.run((own) =>
      own.execute('INSERT INTO orders (item, state) VALUES (:item, :state)', {
        item: error.message,
        state: 'failed',
      }),
    );
    const response = host
      .switchToHttp()
      .getResponse<{ status(code: number): { json(body: unknown): void } }>();
    response.status(error.getStatus()).json({ noted: error.message });
  }
}
