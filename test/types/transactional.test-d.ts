/** `@Transactional()`: which methods it can stand on, and what they stay. */
import {
  type Outcome,
  type ScopedSession,
  type Session,
  type SessionBase,
  Transactional,
} from 'nestjs-scoped-session';
import type { Observable } from 'rxjs';
import type { Equal } from './equal.js';

export abstract class Parts {
  @Transactional({ propagation: 'NESTED', isolation: 'SERIALIZABLE', readOnly: false, dataSource: 'ledger' })
  async generic<T extends object>(one: T, many: readonly T[] = []): Promise<T> {
    return many[0] ?? one;
  }

  overloaded(id: number): Promise<number>;
  overloaded(name: string): Promise<string>;
  @Transactional({ retry: { times: 3 }, timeoutMs: 1_000, label: 'overloaded' })
  async overloaded(given: number | string): Promise<number | string> {
    return given;
  }

  @Transactional()
  observed(): Observable<number> {
    throw new Error('nothing');
  }

  @Transactional()
  static async ofClass(): Promise<void> {
    await Promise.resolve();
  }

  @Transactional()
  protected async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve();
  }

  // @ts-expect-error: it would return before it is committed
  @Transactional()
  sync(): number {
    return 1;
  }

  // @ts-expect-error: a promise, or something else
  @Transactional()
  maybe(given: boolean): Promise<number> | number {
    return given ? 1 : Promise.resolve(1);
  }

  // @ts-expect-error: it would do its work after the end
  @Transactional()
  async *streamed(): AsyncGenerator<number> {
    yield 1;
  }

  // @ts-expect-error: no method
  @Transactional()
  get property(): Promise<number> {
    return Promise.resolve(1);
  }

  // @ts-expect-error: no such propagation
  @Transactional({ propagation: 'REQUIRED_NEW' })
  async misspelt(): Promise<void> {
    await Promise.resolve();
  }
}

export async function functions(scoped: ScopedSession, session: Session): Promise<void> {
  const number = await scoped.transactional(async () => 1, { propagation: 'REQUIRES_NEW' });
  const mine = await scoped.transactional((own) => own);
  session.afterCompletion((outcome) => void (outcome satisfies Outcome));
  scoped.beforeCommit(async () => undefined);
  // @ts-expect-error: nobody is told an outcome before there is one
  session.beforeCommit((outcome: Outcome) => void outcome);
  // @ts-expect-error: a name, which is for methods
  await scoped.transactional(async () => 1, { dataSource: 'ledger' });
  // @ts-expect-error: there may be none
  await scoped.transactional((own) => own.commit());
  const checks: [Equal<typeof number, number>, Equal<typeof mine, SessionBase | undefined>] = [true, true];
  return void checks;
}
