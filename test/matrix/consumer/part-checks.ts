/** Parts of the work, and work outside of requests. */
import assert from 'node:assert/strict';
import { currentScope, NoActiveScopeError, SelfDeadlockError } from 'nestjs-scoped-session';
import { fakeSession, withSession } from 'nestjs-scoped-session/testing';
import type { Checks } from './check.js';
import { NotesService } from './notes.service.js';

export const PARTS: Checks = {
  'a savepoint that fails is undone alone': async (stage) => {
    const { status, body } = await stage.post('/notes/nested');
    assert.deepEqual([status, body], [201, { message: 'undo it' }]);
    assert.deepEqual(await stage.notes(), ['around', 'kept']);
  },

  '@Transactional() joins, and a NESTED part fails alone': async (stage) => {
    assert.equal((await stage.post('/notes/parts')).status, 201);
    assert.deepEqual(await stage.notes(), ['joined']);
  },

  'a REQUIRES_NEW part stays when the work around it fails': async (stage) => {
    const { status } = await stage.post('/notes/apart');
    assert.equal(status, 409);
    assert.deepEqual(await stage.notes(), ['apart']);
  },

  'a REQUIRES_NEW part that would wait for the work around it says so, where there is one connection': async (
    stage,
  ) => {
    if (stage.database.hasServer) return;
    const notes = stage.get(NotesService);
    const work = stage.session.run(async () => {
      await notes.addByRepository('around');
      await notes.apart('inside');
    });
    await assert.rejects(work, SelfDeadlockError);
    assert.deepEqual(await stage.notes(), []);
  },

  'a method opens a unit of work where there is none': async (stage) => {
    await stage.get(NotesService).join('alone');
    await assert.rejects(stage.get(NotesService).tryAndFail('lost'), /a part that fails/);
    assert.deepEqual(await stage.notes(), ['alone']);
  },

  'run() is tried again as a whole': async (stage) => {
    let attempts = 0;
    const work = stage.session.run(
      async (session) => {
        attempts += 1;
        await session.execute('INSERT INTO note (text) VALUES (:text)', { text: `attempt ${attempts}` });
        if (attempts < 3) throw new Error('not yet');
        return currentScope()?.label;
      },
      { label: 'a job', retry: { times: 2, delayMs: 0, on: () => true } },
    );
    assert.equal(await work, 'a job');
    assert.deepEqual(await stage.notes(), ['attempt 3']);
  },

  'outside of a unit of work a session is refused, and a repository is plain': async (stage) => {
    assert.equal(currentScope(), undefined);
    await assert.rejects(stage.get(NotesService).addBySession('nowhere'), NoActiveScopeError);
    await stage.get(NotesService).addByRepository('plain');
    assert.deepEqual(await stage.notes(), ['plain']);
  },

  'tests have sessions, with and without a database': async (stage) => {
    await withSession(stage.app, () => stage.get(NotesService).addBySession('by a test'));
    assert.deepEqual(await stage.notes(), ['by a test']);
    const { session, statements } = fakeSession(() => [{ n: 1 }]);
    assert.deepEqual([await session.scalar('SELECT n'), statements.length], [1, 1]);
  },
};
