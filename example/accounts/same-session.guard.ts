import { randomUUID } from 'node:crypto';
import { type CanActivate, Injectable } from '@nestjs/common';
import { ScopedSession } from 'nestjs-scoped-session';

/** A guard runs before the handler, and has the request's session already. */
@Injectable()
export class SameSessionGuard implements CanActivate {
  constructor(private readonly session: ScopedSession) {}

  canActivate(): boolean {
    const { info } = this.session;
    info['name'] = `session ${randomUUID()}`;
    info['seenByGuard'] = info['name'];
    return true;
  }
}
