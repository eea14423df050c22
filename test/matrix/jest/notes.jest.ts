/** Tests of an application of Nest 11 in jest: over HTTP, by `withSession`, and of a service with a fake session. */
import 'reflect-metadata';
import type { AddressInfo, Server } from 'node:net';
import { Body, ConflictException, Controller, type INestApplication, Injectable, Post } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { ScopedSession, ScopedSessionModule, Session } from 'nestjs-scoped-session';
import { fakeSession, withSession } from 'nestjs-scoped-session/testing';
import { Column, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';

declare const beforeAll: (fn: () => Promise<void>) => void;
declare const afterAll: (fn: () => Promise<void>) => void;
declare const it: (name: string, fn: () => Promise<void>) => void;
declare const expect: (value: unknown) => { toEqual(expected: unknown): void };

@Entity()
class Note {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'varchar' }) text!: string;
}

@Injectable()
class NotesService {
  constructor(private readonly session: ScopedSession) {}

  count(): Promise<unknown> {
    return this.session.scalar('SELECT COUNT(*) FROM note');
  }
}

@Controller('notes')
class NotesController {
  constructor(
    private readonly service: NotesService,
    @InjectRepository(Note) private readonly notes: Repository<Note>,
  ) {}

  @Post()
  async add(@Session() session: Session, @Body() { text, fails }: { text: string; fails?: boolean }) {
    await this.notes.insert({ text });
    await session.execute('INSERT INTO note (text) VALUES (:text)', { text });
    if (fails === true) throw new ConflictException();
    return { count: await this.service.count() };
  }
}

let app: INestApplication;

beforeAll(async () => {
  const module = await Test.createTestingModule({
    imports: [
      TypeOrmModule.forRoot({ type: 'sqljs', synchronize: true, entities: [Note] }),
      TypeOrmModule.forFeature([Note]),
      ScopedSessionModule.forRoot(),
    ],
    controllers: [NotesController],
    providers: [NotesService],
  }).compile();
  app = module.createNestApplication({ forceCloseConnections: true });
  await app.listen(0, '127.0.0.1');
});

afterAll(() => app.close());

async function post(body: object): Promise<unknown[]> {
  const { port } = (app.getHttpServer() as Server).address() as AddressInfo;
  const headers = { 'content-type': 'application/json' };
  const sent = { method: 'POST', headers, body: JSON.stringify(body) };
  const response = await fetch(`http://127.0.0.1:${port}/notes`, sent);
  return [response.status, ((await response.json()) as { count?: number }).count];
}

it('commits and rolls back', async () => {
  expect(await post({ text: 'kept' })).toEqual([201, 2]);
  expect(await post({ text: 'lost', fails: true })).toEqual([409, undefined]);
  expect(await withSession(app, () => app.get(NotesService).count())).toEqual(2);
});

it('has fake sessions', async () => {
  const { session } = fakeSession(() => [{ count: 7 }]);
  expect(await new NotesService(session as unknown as ScopedSession).count()).toEqual(7);
});
