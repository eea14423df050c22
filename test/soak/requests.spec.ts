/** 50,000 requests over real HTTP, on a real server: nothing grows. */
import { Agent, request, type Server } from 'node:http';
import type { EventEmitter } from 'node:events';
import { promisify } from 'node:util';
import { Body, Controller, Get, NotFoundException, Post } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { ScopedSession } from 'nestjs-scoped-session';
import { Repository } from 'typeorm';
import { expect, it } from 'vitest';
import { useDatabase } from '../support/databases.js';
import { Note } from '../support/note.js';
import { soak } from '../support/soak.js';
import { startApp } from '../support/test-app.js';
import { waitUntil } from '../support/wait-until.js';

const database = useDatabase('mariadb');

@Controller()
class NotesController {
  constructor(
    private readonly session: ScopedSession,
    @InjectRepository(Note) private readonly notes: Repository<Note>,
  ) {}

  @Get('nothing')
  nothing(): string {
    return 'nothing';
  }

  @Get('one')
  async one(): Promise<string> {
    return String(await this.session.scalar('SELECT 1'));
  }

  @Post('notes')
  async store(@Body() { text }: { text: string }): Promise<void> {
    await this.notes.insert({ text });
    await this.session.execute('DELETE FROM note WHERE text = :text', { text });
  }

  @Get('missing')
  async missing(): Promise<void> {
    await this.notes.find();
    throw new NotFoundException();
  }
}

const ROUTES = [
  ['GET', 'nothing', 200],
  ['GET', 'one', 200],
  ['POST', 'notes', 201],
  ['GET', 'missing', 404],
] as const;

it('50,000 requests', async () => {
  const { app, url, dataSource, liveScopes } = await startApp(database, { controllers: [NotesController] });
  let agent = new Agent({ keepAlive: true });
  const ask = (method: string, path: string, body: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': body.length };
      const sent = request(`${url}/${path}`, { method, agent, headers }, (answer) => {
        answer.resume().once('end', () => resolve(answer.statusCode!));
      });
      sent.once('error', reject);
      sent.end(body);
    });
  const { pool } = dataSource.driver as unknown as { pool: EventEmitter };
  const server = app.getHttpServer() as Server;
  await soak({
    title: 'requests over HTTP',
    rounds: 10,
    times: 5_000,
    one: async (number) => {
      const [method, path, status] = ROUTES[number % ROUTES.length]!;
      const body = method === 'POST' ? JSON.stringify({ text: `note ${number}` }) : '';
      expect(await ask(method, path, body)).toBe(status);
    },
    // A connection that is kept alive holds its last request.
    rest: async () => {
      agent.destroy();
      agent = new Agent({ keepAlive: true });
      await waitUntil('the server has let go of them', async () => (await connections(server)) === 0);
    },
    emitters: () => [pool, server],
  });
  expect(liveScopes()).toBe(0);
});

function connections(server: Server): Promise<number> {
  return promisify(server.getConnections.bind(server))();
}
