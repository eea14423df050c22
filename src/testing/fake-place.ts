/** The place of a fake scoped session: the one session, everywhere. */
import type { Registry } from '../scope/index.js';
import type { SessionBase, SessionPlace } from '../session/index.js';

export class FakePlace implements SessionPlace {
  readonly registry: Registry<SessionBase>;

  constructor(private readonly session: SessionBase) {
    this.registry = { get: () => session, has: () => true, set: () => undefined, clear: () => undefined };
  }

  create(): SessionBase {
    return this.session;
  }

  /** Commits and rolls back as the real one, on the fake session. */
  async run<T>(work: (session: SessionBase) => Promise<T> | T): Promise<T> {
    try {
      const result = await work(this.session);
      await this.session.commit();
      return result;
    } catch (error) {
      await this.session.rollback();
      throw error;
    }
  }

  independently<T>(work: (session: SessionBase) => Promise<T> | T): Promise<T> {
    return this.run(work);
  }

  removed(): void {
    // There is nothing that could be forgotten.
  }

  sessionOf(): undefined {
    return undefined;
  }

  /** Parts join from the first statement on. */
  isInside(): boolean {
    return this.session.inTransaction();
  }

  /** Nothing can be lost, or conflict. */
  transaction(): undefined {
    return undefined;
  }

  async outside<T>(work: () => Promise<T> | T): Promise<T> {
    return work();
  }
}
