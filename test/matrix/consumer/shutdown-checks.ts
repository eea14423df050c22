/** The end of the application, which waits for work that runs; the last check of each stage. */
import assert from 'node:assert/strict';
import type { Checks } from './check.js';
import { NotesController } from './notes.controller.js';

export const SHUTDOWN: Checks = {
  'a shutdown waits for a request that runs, which is committed and answered': async (stage) => {
    const { arrived, gate } = stage.get(NotesController);
    const answer = stage.post('/notes/slow');
    await arrived.promise;
    let hasClosed = false;
    const closing = stage.close().then(() => (hasClosed = true));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(hasClosed, false);
    gate.resolve();
    assert.equal((await answer).status, 201);
    await closing;
    // Nothing is left of a database in memory.
    if (stage.database.hasServer) assert.deepEqual(await stage.notes(), ['before', 'after']);
  },
};
