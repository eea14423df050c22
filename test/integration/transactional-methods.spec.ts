/** `@Transactional()` on methods of all kinds: inherited, overriding, static, named by a symbol; and on what is none. */
import { Injectable } from '@nestjs/common';
import { ScopedSession, Transactional } from 'nestjs-scoped-session';
import { beforeEach, expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import { texts } from '../support/plain-and-ours.js';
import { startApp, type TestApp } from '../support/test-app.js';

const REMARK = Symbol('remark');

abstract class Base {
  constructor(protected readonly session: ScopedSession) {}

  @Transactional()
  async add(text: string, suffix = ''): Promise<string> {
    await this.session.execute('INSERT INTO note (text) VALUES (:text)', { text: text + suffix });
    return text;
  }
}

@Injectable()
class Notes extends Base {
  // Nest reads its types off the class that is decorated.
  // oxlint-disable-next-line no-useless-constructor
  constructor(session: ScopedSession) {
    super(session);
  }

  @Transactional()
  override async add(text: string, suffix = ''): Promise<string> {
    return super.add(text, `${suffix}!`);
  }

  @Transactional()
  async [REMARK](text: string): Promise<string> {
    return this.add(text);
  }

  @Transactional()
  static async none(): Promise<string> {
    return 'static';
  }
}

class MadeNotes extends Base {}

onEach(['mariadb', 'sqljs', 'postgres'], (database) => {
  let test: TestApp;
  let notes: Notes;

  beforeEach(async () => {
    const made = {
      provide: 'MADE',
      useFactory: (session: ScopedSession) => new MadeNotes(session),
      inject: [ScopedSession],
    };
    test = await startApp(database, { providers: [Notes, made] });
    notes = test.app.get(Notes);
  });

  it('one that overrides a decorated one, of an abstract class, with a symbol for a name, or static', async () => {
    await notes.add('a');
    await notes[REMARK]('b');
    await test.app.get<MadeNotes>('MADE').add('c');
    expect(await Notes.none()).toBe('static');
    expect(await texts(test.dataSource)).toEqual(['a!', 'b!', 'c']);
    // oxlint-disable-next-line typescript/unbound-method -- only looked at
    expect([Notes.prototype.add.length, Notes.prototype[REMARK].name]).toEqual([1, '[remark]']);
  });

  it('one that was taken off its object says so', async () => {
    const { add } = notes;
    await expect(add('a')).rejects.toThrow(/Notes\.add was called on an object of which no application/);
  });

  it('one that is a generator is refused when its class is loaded', () => {
    const decorate = Transactional() as unknown as MethodDecorator;
    expect(() => {
      class Streams {
        @decorate
        async *all(): AsyncGenerator<number> {
          yield 1;
        }
      }
      return Streams;
    }).toThrow(/@Transactional\(\).*generator/);
  });
});
