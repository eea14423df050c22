/** Messages of a microservice beside HTTP. */
import assert from 'node:assert/strict';
import type { Checks } from './check.js';

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
};
