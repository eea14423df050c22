/** Messages of a microservice and of sockets, beside HTTP. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { Checks } from './check.js';
import { NotesService } from './notes.service.js';
import type { Stage } from './stage.js';
import { until } from './until.js';

async function onSocket(stage: Stage, work: (socket: WebSocket) => Promise<void>): Promise<void> {
  const socket = new WebSocket(stage.url.replace('http', 'ws'));
  await once(socket, 'open');
  try {
    await work(socket);
  } finally {
    socket.terminate();
  }
}

export const MESSAGES: Checks = {
  'a message is committed before its reply': async (stage) => {
    assert.equal(await stage.send('add', { text: 'a' }), 1);
    assert.deepEqual(await stage.notes(), ['a']);
  },

  'a message that fails is rolled back, and its sender is told': async (stage) => {
    const sent = stage.send('add', { text: 'lost', fails: true });
    await assert.rejects(sent, (error: unknown) => {
      assert.deepEqual(error, { status: 'error', message: 'on purpose' });
      return true;
    });
    assert.deepEqual(await stage.notes(), []);
  },

  'a message of a socket is committed before its answer, in one unit of work': (stage) =>
    onSocket(stage, async (socket) => {
      const answer = once(socket, 'message');
      socket.send(JSON.stringify({ event: 'add', data: { text: 'a' } }));
      assert.deepEqual(JSON.parse(String((await answer)[0])), { event: 'added', data: 2 });
      assert.deepEqual(await stage.notes(), ['a', 'a']);
      assert.deepEqual(stage.get(NotesService).called, ['beforeCommit', 'afterCommit', 'committed']);
    }),

  'a message of a socket that fails is rolled back': (stage) =>
    onSocket(stage, async (socket) => {
      const { called } = stage.get(NotesService);
      socket.send(JSON.stringify({ event: 'add', data: { text: 'lost', fails: true } }));
      await until(() => called.includes('rolledBack'));
      assert.deepEqual(await stage.notes(), []);
    }),
};
