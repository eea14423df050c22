/** Bodies that are read after their handler has returned: what it did is stored before the first byte, what they do before the last. */
import { request } from 'node:http';
import { type EntitySubscriberInterface, EventSubscriber } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { engineOf } from '../../src/engine/index.js';
import { BODIES, BodiesController, type BodyKind, Course, PIECES, WHOLE } from '../support/bodies.js';
import { KINDS, onEach } from '../support/databases.js';
import { Note } from '../support/note.js';
import { PLATFORMS, startApp, type TestApp, type TestAppOptions } from '../support/test-app.js';
import { signal, waitUntil } from '../support/wait-until.js';

/** What arrived, and whether the response came to its end. */
interface Arrived {
  readonly status: number;
  readonly text: string;
  readonly isWhole: boolean;
}

/** Fails when its next COMMIT is about to be sent, once told so. */
@EventSubscriber()
class RefusesCommit implements EntitySubscriberInterface {
  static isOn = false;
  beforeTransactionCommit(): void {
    if (RefusesCommit.isOn) throw new Error('This COMMIT is refused.');
  }
}

onEach(KINDS, (database) => {
  describe.each(PLATFORMS)('%s', (platform) => {
    let test: TestApp;
    let course: Course;
    const start = async (options: Partial<TestAppOptions> = {}): Promise<void> => {
      course = new Course();
      const providers = [{ provide: Course, useValue: course }];
      test = await startApp(database, { platform, controllers: [BodiesController], providers, ...options });
    };
    /** The name of a note for each kind of body. */
    const begin = (kind: BodyKind): string => {
      course.goOn = signal();
      return kind.replaceAll(' ', '-');
    };
    const stored = async (): Promise<string[]> => {
      const rows = await test.dataSource.getRepository(Note).find({ order: { id: 'ASC' } });
      return rows.map(({ text }) => text);
    };
    const ended = (): Promise<void> => waitUntil('the scope has ended', () => test.liveScopes() === 0);
    /** Asks, and tells of each piece as it arrives. */
    const ask = (
      kind: BodyKind,
      text: string,
      {
        method = 'POST',
        onPiece,
      }: { method?: string; onPiece?: (whole: string, leave: () => void) => void } = {},
    ): Promise<Arrived> =>
      new Promise((resolve, reject) => {
        const asked = request(
          `${test.url}/body/${encodeURIComponent(kind)}/${text}`,
          { method },
          (response) => {
            let whole = '';
            const over = (isWhole: boolean): void =>
              resolve({ status: response.statusCode!, text: whole, isWhole });
            response.setEncoding('utf8');
            response.on('data', (piece: string) => {
              whole += piece;
              onPiece?.(whole, () => asked.destroy());
            });
            response.on('end', () => over(response.complete));
            response.on('error', () => over(false));
          },
        );
        asked.on('error', reject);
        asked.end();
      });

    it('what the handler did is stored when the first byte arrives, what the body did when the last does', async () => {
      await start();
      for (const kind of BODIES) {
        const text = begin(kind);
        const seen: Promise<string[]>[] = [];
        const onPiece = (whole: string): void => {
          if (whole !== PIECES[0]) return;
          seen.push(stored());
          void seen[0]!.then(() => course.goOn.resolve());
        };
        const before = await stored();
        const { isWhole, text: whole, status } = await ask(kind, text, { onPiece });
        expect(await stored()).toEqual([...before, text, `${text}, by its body`]);
        expect(await seen[0]).toEqual([...before, text]);
        expect({ kind, isWhole, whole, status }).toEqual({
          kind,
          isWhole: true,
          whole: WHOLE,
          status: kind === 'response' ? 202 : 201,
        });
        await ended();
      }
    });

    it('a body that fails is cut, and only what it did is undone', async () => {
      await start();
      course.fails = true;
      for (const kind of BODIES) {
        const text = begin(kind);
        const before = await stored();
        const { isWhole, status } = await ask(kind, text, { onPiece: () => course.goOn.resolve() });
        expect({ kind, isWhole, isAccepted: status < 300 }).toEqual({
          kind,
          isWhole: false,
          isAccepted: true,
        });
        await ended();
        expect(await stored()).toEqual([...before, text]);
      }
    });

    it('a body whose client goes is stopped, and only what it did is undone', async () => {
      await start();
      for (const kind of BODIES) {
        const text = begin(kind);
        const before = await stored();
        await ask(kind, text, { onPiece: (_, leave) => leave() }).catch(() => undefined);
        await ended();
        course.goOn.resolve();
        expect(await stored()).toEqual([...before, text]);
        await waitUntil('it has cleaned up', () => course.heard.includes(`${text} left`));
      }
    });

    it('a body whose COMMIT fails never looks whole', async () => {
      await start({ dataSource: { subscribers: [RefusesCommit] } });
      for (const kind of BODIES) {
        const text = begin(kind);
        const before = await stored();
        const onPiece = (whole: string): void => {
          if (whole !== PIECES[0]) return;
          RefusesCommit.isOn = true;
          course.goOn.resolve();
        };
        const { isWhole, text: whole } = await ask(kind, text, { onPiece });
        RefusesCommit.isOn = false;
        // Where the length was told the last byte waits for the COMMIT; elsewhere the end does.
        const seen = kind === 'file with a length' ? PIECES[0] : whole;
        expect({ kind, isWhole, whole }).toEqual({ kind, isWhole: false, whole: seen });
        await ended();
        expect(await stored()).toEqual([...before, text]);
      }
    });

    it('HEAD has the headers, and no unit of work stays behind', async () => {
      await start();
      for (const kind of BODIES) {
        const { text, isWhole } = await ask(kind, kind.replaceAll(' ', '-'), { method: 'HEAD' });
        expect({ kind, text, isWhole }).toEqual({ kind, text: '', isWhole: true });
      }
      course.goOn.resolve();
      await ended();
      expect(await stored()).toEqual(BODIES.map((kind) => kind.replaceAll(' ', '-')));
    });

    it('F78: a body holds no connection while it does not use its session, and is not limited in time', async () => {
      await start({ session: { scopeTimeoutMs: 100 } });
      const active: number[] = [];
      const arrived = ask('file', 'a', {
        onPiece: () => {
          active.push(engineOf(test.dataSource).status().active);
          setTimeout(() => course.goOn.resolve(), 150);
        },
      });
      expect(await arrived).toEqual({ status: 201, text: WHOLE, isWhole: true });
      expect(active[0]).toBe(0);
    });
  });
});
