/** Singletons, and one provider for each request, that write in whatever unit of work they are called in. */
import { Inject, Injectable } from '@nestjs/common';
import { InjectEntityManager, InjectRepository } from '@nestjs/typeorm';
import { InjectSession, ScopedSession, type Session, Transactional } from 'nestjs-scoped-session';
import { EntityManager, Repository } from 'typeorm';
import { Account, Note } from './entities.js';

/** A manager that was made before the library knew of its DataSource. */
export const EARLY_MANAGER = 'EARLY_MANAGER';

@Injectable()
export class NotesService {
  /** Which hooks were called, in their order. */
  readonly called: string[] = [];

  constructor(
    private readonly session: ScopedSession,
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    @InjectEntityManager() private readonly manager: EntityManager,
    @Inject(EARLY_MANAGER) private readonly early: EntityManager,
  ) {}

  async addByManagers(text: string): Promise<void> {
    await this.manager.insert(Note, { text: `${text} by the manager` });
    await this.early.save(Note, { text: `${text} by an early manager` });
    await this.early.transaction((manager) => manager.insert(Note, { text: `${text} by its transaction` }));
  }

  async rename(id: number, owner: string): Promise<void> {
    const account = await this.session.manager.preload(Account, { id, owner });
    if (account !== undefined) await this.session.manager.save(account);
  }

  async addByRepository(text: string): Promise<void> {
    await this.notes.insert({ text });
  }

  async addBySession(text: string): Promise<void> {
    await this.session.execute('INSERT INTO note (text) VALUES (:text)', { text });
  }

  listen(): void {
    this.session.beforeCommit(() => void this.called.push('beforeCommit'));
    this.session.afterCommit(() => void this.called.push('afterCommit'));
    this.session.afterRollback(() => void this.called.push('afterRollback'));
    this.session.afterCompletion((outcome) => void this.called.push(outcome));
  }

  @Transactional()
  async join(text: string): Promise<void> {
    await this.addByRepository(text);
  }

  @Transactional({ propagation: 'REQUIRES_NEW' })
  async apart(text: string): Promise<void> {
    await this.addByRepository(text);
  }

  @Transactional({ propagation: 'NESTED' })
  async tryAndFail(text: string): Promise<never> {
    await this.addByRepository(text);
    throw new Error('a part that fails');
  }
}

@Injectable()
export class RequestNotes {
  constructor(@InjectSession() readonly session: Session) {}
}
