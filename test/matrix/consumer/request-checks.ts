/** Requests: committed before the answer, rolled back upon an error, one session and one object for each row. */
import assert from 'node:assert/strict';
import type { Checks } from './check.js';
import { NotesService } from './notes.service.js';
import type { Stage } from './stage.js';

async function openAccount(stage: Stage): Promise<number> {
  const { status, body } = await stage.post('/accounts', { owner: 'Ada', cents: 100 });
  assert.equal(status, 201);
  return (body as { id: number }).id;
}

export const REQUESTS: Checks = {
  'a request is committed before its answer: session, repository and object together': async (stage) => {
    const { status, body } = await stage.post('/notes', { text: 'kept' });
    assert.deepEqual([status, body], [201, { isOne: true }]);
    const stored = ['kept by the repository', 'kept by the session', 'kept as an object'];
    assert.deepEqual(await stage.notes(), stored);
    assert.deepEqual(stage.get(NotesService).called, ['beforeCommit', 'afterCommit', 'committed']);
  },

  'an error rolls all of it back, and is the answer': async (stage) => {
    const { status, body } = await stage.post('/notes?fails', { text: 'lost' });
    assert.deepEqual([status, body], [409, { message: 'on purpose', error: 'Conflict', statusCode: 409 }]);
    assert.deepEqual(await stage.notes(), []);
    assert.deepEqual(stage.get(NotesService).called, ['afterRollback', 'rolledBack']);
  },

  'requests at the same time have sessions of their own': async (stage) => {
    const texts = Array.from({ length: 12 }, (_, n) => `note ${n}`);
    const paths = texts.map((_, n) => (n % 3 === 0 ? '/notes?fails' : '/notes'));
    const answers = await Promise.all(texts.map((text, n) => stage.post(paths[n]!, { text })));
    assert.deepEqual(
      answers.map(({ status }) => status),
      texts.map((_, n) => (n % 3 === 0 ? 409 : 201)),
    );
    assert.equal((await stage.notes()).length, 8 * 3);
  },

  'an object is stored when it was changed, and is the same for everybody': async (stage) => {
    const id = await openAccount(stage);
    const { status, body } = await stage.post(`/accounts/${id}/withdraw`, { cents: 30 });
    assert.deepEqual([status, body], [201, { isOne: true, version: 2 }]);
    const rows = await stage.rows('SELECT cents, version FROM account');
    assert.deepEqual(
      rows.map(({ cents, version }) => [Number(cents), Number(version)]),
      [[70, 2]],
    );
  },

  'managers take part, also one that was made before the library knew of its DataSource': async (stage) => {
    assert.equal((await stage.post('/notes/managers?fails', { text: 'lost' })).status, 409);
    assert.deepEqual(await stage.notes(), []);
    assert.equal((await stage.post('/notes/managers', { text: 'kept' })).status, 201);
    const stored = ['kept by the manager', 'kept by an early manager', 'kept by its transaction'];
    assert.deepEqual(await stage.notes(), stored);
  },

  "the session's manager loads an object to change it": async (stage) => {
    const id = await openAccount(stage);
    assert.equal((await stage.post(`/accounts/${id}/rename/Grace`)).status, 201);
    assert.deepEqual(await stage.rows('SELECT owner, version FROM account'), [
      { owner: 'Grace', version: 2 },
    ]);
  },

  'a row that somebody else has changed is answered with 409, and nothing is stored': async (stage) => {
    const id = await openAccount(stage);
    const { status } = await stage.post(`/accounts/${id}/outrun`);
    assert.equal(status, 409);
    const [row] = await stage.rows('SELECT cents, version FROM account');
    assert.deepEqual([Number(row!['cents']), Number(row!['version'])], [100, 1]);
  },

  'a row that is not there is answered with 404': async (stage) => {
    assert.equal((await stage.post('/accounts/4711/withdraw', { cents: 30 })).status, 404);
  },

  'a REQUEST-scoped provider has the session of its request': async (stage) => {
    const { status, body } = await stage.post('/request-scoped', { text: 'a' });
    assert.deepEqual([status, body], [201, { sees: 1 }]);
    assert.deepEqual(await stage.notes(), ['a']);
  },
};
