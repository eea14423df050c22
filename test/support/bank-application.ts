/** A bank as a Nest application: a request moves money, and its client is told what is known of the outcome. */
import {
  type ArgumentsHost,
  Body,
  Catch,
  Controller,
  type ExceptionFilter,
  HttpException,
  Post,
} from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { ScopedSessionError, Session } from 'nestjs-scoped-session';
import type { TestAppOptions } from './test-app.js';

/** What a client asks for. */
export interface Transfer {
  readonly request: string;
  readonly from: number;
  readonly to: number;
  /** Commits by hand, instead of leaving that to the end of the request. */
  readonly byHand: boolean;
}

@Controller('transfers')
class TransfersController {
  @Post()
  async transfer(@Session() session: Session, @Body() asked: Transfer): Promise<{ request: string }> {
    const { request, from, to, byHand } = asked;
    // Locked in the order in which the client names them: two that meet the other way round are a deadlock.
    for (const id of [from, to])
      await session.scalar('SELECT balance FROM account WHERE id = :id FOR UPDATE', { id });
    const rows = [
      { seq: 1, acct: from, delta: -1 },
      { seq: 2, acct: to, delta: 1 },
    ];
    for (const { seq, acct, delta } of rows) {
      await session.execute('UPDATE account SET balance = balance + :delta WHERE id = :acct', {
        acct,
        delta,
      });
      await session.execute('INSERT INTO ledger VALUES (:request, :seq, :acct, :delta)', {
        request,
        seq,
        acct,
        delta,
      });
    }
    if (byHand) await session.commit();
    return { request };
  }
}

/** What docs/faults.md says: whatever is not called unknown is rolled back. */
@Catch()
class OutcomeFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const isOurs = error instanceof ScopedSessionError;
    const outcome = isOurs && error.outcome === 'unknown' ? 'unknown' : 'rolledBack';
    const status = error instanceof HttpException ? error.getStatus() : 500;
    const { code } = error as { code?: unknown };
    host.switchToHttp().getResponse<HttpResponse>().status(status).json({ code, outcome });
  }
}

interface HttpResponse {
  status(status: number): HttpResponse;
  json(body: object): void;
}

export const BANK: Pick<TestAppOptions, 'controllers' | 'providers' | 'entities'> = {
  controllers: [TransfersController],
  providers: [{ provide: APP_FILTER, useClass: OutcomeFilter }],
  entities: [],
};
