/** `@Transactional()` on methods that return an Observable: whoever subscribes, lets go, or makes it fail. */
import { Injectable } from '@nestjs/common';
import { ScopedSession, ScopeTimeoutError, Transactional } from 'nestjs-scoped-session';
import {
  concat,
  defer,
  delayWhen,
  EMPTY,
  finalize,
  from,
  lastValueFrom,
  map,
  NEVER,
  Observable,
  of,
  share,
  tap,
  throwError,
  toArray,
} from 'rxjs';
import { beforeEach, describe, expect, it } from 'vitest';
import { currentScope } from 'nestjs-scoped-session';
import { onEach } from '../support/databases.js';
import { texts } from '../support/plain-and-ours.js';
import { startApp, type TestApp } from '../support/test-app.js';
import { signal, waitUntil } from '../support/wait-until.js';

let made = 0;
let finished = 0;
let gate = signal();

@Injectable()
class Notes {
  constructor(private readonly session: ScopedSession) {}

  @Transactional()
  throwing(): Observable<string> {
    throw new Error('at once');
  }

  @Transactional()
  none(text: string): Observable<string> {
    return concat(this.#insert(text), EMPTY).pipe(
      toArray(),
      map(() => ''),
      tap(() => undefined),
      delayWhen(() => of(1)),
    );
  }

  @Transactional()
  nothing(text: string): Observable<never> {
    return defer(() => from(this.session.execute('INSERT INTO note (text) VALUES (:text)', { text }))).pipe(
      delayWhen(() => of(1)),
      (source) =>
        new Observable<never>((subscriber) => source.subscribe({ complete: () => subscriber.complete() })),
    );
  }

  @Transactional()
  failing(...all: string[]): Observable<string> {
    return concat(
      ...all.map((text) => this.#insert(text)),
      throwError(() => new Error('after values')),
    );
  }

  @Transactional()
  all(...all: string[]): Observable<string> {
    made += 1;
    return concat(...all.map((text) => this.#insert(text)));
  }

  @Transactional()
  endless(text: string): Observable<string> {
    return concat(this.#insert(text), NEVER).pipe(finalize(() => (finished += 1)));
  }

  @Transactional({ timeoutMs: 100, retry: { times: 1, delayMs: 0, on: () => true } })
  slow(text: string): Observable<string> {
    made += 1;
    return concat(this.#insert(text), made === 1 ? NEVER : EMPTY).pipe(finalize(() => (finished += 1)));
  }

  @Transactional({ timeoutMs: 100 })
  tooSlow(text: string): Observable<string> {
    return this.endless(text);
  }

  @Transactional({ propagation: 'NESTED' })
  nested(text: string): Observable<string> {
    made += 1;
    return this.#insert(text);
  }

  @Transactional({ retry: { times: 3, delayMs: 0, on: () => true } })
  again(text: string): Observable<string> {
    made += 1;
    const waiting = defer(() => from(gate.promise.then(() => text)));
    return concat(
      waiting,
      throwError(() => new Error('once more')),
    );
  }

  #insert(text: string): Observable<string> {
    return defer(() =>
      from(this.session.execute('INSERT INTO note (text) VALUES (:text)', { text }).then(() => text)),
    );
  }
}

onEach(['mariadb', 'sqljs', 'postgres'], (database) => {
  let test: TestApp;
  let notes: Notes;
  const stored = (): Promise<string[]> => texts(test.dataSource);
  const idle = (): Promise<void> => waitUntil('its work has ended', () => test.liveScopes() === 0);

  beforeEach(async () => {
    [made, finished, gate] = [0, 0, signal()];
    test = await startApp(database, { providers: [Notes] });
    notes = test.app.get(Notes);
  });

  it('is an error of the Observable when the method throws', async () => {
    const throwing = notes.throwing();
    await expect(lastValueFrom(throwing)).rejects.toThrow('at once');
  });

  it('is kept when it gives no value, or one only', async () => {
    await lastValueFrom(notes.none('a'));
    await lastValueFrom(notes.nothing('b'), { defaultValue: undefined });
    expect(await stored()).toEqual(['a', 'b']);
  });

  it('is rolled back when it fails after values', async () => {
    const seen: string[] = [];
    const failing = lastValueFrom(notes.failing('a', 'b').pipe(tap((text) => seen.push(text))));
    await expect(failing).rejects.toThrow('after values');
    expect(seen).toEqual(['a']);
    expect(await stored()).toEqual([]);
  });

  it('is one unit of work for all who share it, whose code is in none', async () => {
    const seen: unknown[] = [];
    const shared = notes.all('a', 'b').pipe(share());
    const look = tap((text: string) => seen.push([text, currentScope()?.label]));
    await Promise.all([lastValueFrom(shared.pipe(look)), lastValueFrom(shared.pipe(look))]);
    expect(seen).toEqual([
      ['a', undefined],
      ['a', undefined],
      ['b', undefined],
      ['b', undefined],
    ]);
    expect([made, await stored()]).toEqual([1, ['a', 'b']]);
  });

  it('is kept when its subscriber throws, for that is no part of it', async () => {
    const failing = lastValueFrom(
      notes.all('a').pipe(
        tap(() => {
          throw new Error('the subscriber');
        }),
      ),
    );
    await expect(failing).rejects.toThrow('the subscriber');
    expect(await stored()).toEqual(['a']);
  });

  describe('whoever unsubscribes', () => {
    it('rolls it back, and ends its source', async () => {
      const subscription = notes.endless('a').subscribe();
      await waitUntil('it has begun', () => test.liveScopes() === 1);
      subscription.unsubscribe();
      await idle();
      expect([finished, await stored()]).toEqual([1, []]);
    });

    it('before it has begun keeps it from being run', async () => {
      await test.session.run(async (session) => {
        notes.nested('never').subscribe().unsubscribe();
        await session.scalar('SELECT 1');
        await lastValueFrom(notes.nested('a'));
      });
      expect([made, await stored()]).toEqual([1, ['a']]);
    });

    it('is not run again for', async () => {
      const subscription = notes.again('a').subscribe();
      subscription.unsubscribe();
      gate.resolve();
      await idle();
      expect([made, await stored()]).toEqual([1, []]);
    });
  });

  it('ends its source when it takes too long, also before it is run again', async () => {
    await expect(lastValueFrom(notes.tooSlow('a'))).rejects.toBeInstanceOf(ScopeTimeoutError);
    expect(finished).toBe(1);
    expect(await lastValueFrom(notes.slow('b'))).toBe('b');
    expect([made, finished, await stored()]).toEqual([2, 3, ['b']]);
  });
});
