/** `@Session() session: Session`: one import is the decorator and the type, and so is its alias. */
import { Controller, Get, Post } from '@nestjs/common';
import { DbSession, InjectScopedSession, InjectSession, ScopedSession, Session } from 'nestjs-scoped-session';
import type { SessionApi, SessionBase } from 'nestjs-scoped-session';
import type { Equal } from './equal.js';

@Controller('accounts')
export class AccountsController {
  constructor(
    readonly current: ScopedSession,
    @InjectScopedSession('reports') readonly reports: ScopedSession,
    @InjectSession() readonly handle: Session,
  ) {}

  @Get()
  count(@Session() session: Session): Promise<number | null> {
    return session.scalar<number>('SELECT COUNT(*) FROM account');
  }

  @Post()
  async copy(@DbSession() from: DbSession, @Session('reports') to: Session): Promise<void> {
    const rows = await from.scalars<string>('SELECT name FROM account');
    await to.execute('INSERT INTO name VALUES (:name)', rows.map((name) => ({ name }))); // prettier-ignore
  }

  // @ts-expect-error: the decorator takes a name
  wrongName(@Session(1) session: Session): Session {
    return session;
  }

  // @ts-expect-error: the decorator is called
  notCalled(@Session session: Session): Session {
    return session;
  }
}

export const sameUnderBothNames: Equal<Session, DbSession> = true;
export const sameDecorator: Equal<typeof Session, typeof DbSession> = true;

export async function closesItself(made: SessionBase): Promise<void> {
  await using session: Session = made;
  await session.commit();
}

/** Whatever offers the interface can be used as a session's role. */
export const offersEverything = (session: Session, scoped: ScopedSession): SessionApi[] => [session, scoped];
export const nothingIsMissing: Equal<Exclude<keyof SessionApi, keyof ScopedSession>, never> = true;
export const nothingIsMissingInTheClass: Equal<Exclude<keyof SessionApi, keyof SessionBase>, never> = true;
