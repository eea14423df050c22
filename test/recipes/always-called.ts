/** A signal that a handler registers whether or not it used the database. */
import { Controller, Get, Injectable, Query } from '@nestjs/common';
import { ScopedSession } from 'nestjs-scoped-session';

@Injectable()
export class Signals {
  readonly sent: string[] = [];

  constructor(private readonly session: ScopedSession) {}

  /** Refused with SS_ERR_SESSION_CLOSED when it comes after the end: it would never be called. */
  afterwards(text: string): void {
    this.session.afterCommit(() => void this.sent.push(text));
  }
}

@Controller('signals')
export class SignalsController {
  constructor(
    private readonly signals: Signals,
    private readonly session: ScopedSession,
  ) {}

  @Get()
  async look(@Query('at') at: string): Promise<string> {
    this.signals.afterwards(`looked at ${at}`);
    if (at === 'orders') await this.session.execute('SELECT COUNT(*) FROM orders');
    return at;
  }
}
