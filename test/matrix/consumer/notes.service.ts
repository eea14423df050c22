/** Singletons, and one provider for each request, that write in whatever unit of work they are called in. */
import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { InjectSession, ScopedSession, type Session, Transactional } from 'nestjs-scoped-session';
import { Repository } from 'typeorm';
import { Note } from './entities.js';

@Injectable()
export class NotesService {
  /** Which hooks were called, in their order. */
  readonly called: string[] = [];

  constructor(
    private readonly session: ScopedSession,
    @InjectRepository(Note) private readonly notes: Repository<Note>,
  ) {}

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
