/** Responses that are more than one value: their work is committed before their end, and a failure is never a whole response. */
import assert from 'node:assert/strict';
import { type Checks, connectionsOut } from './check.js';
import type { Stage } from './stage.js';
import { until } from './until.js';
import { HAS_OLD_FILES, VERSION_OF_NEST } from './versions.js';

const everythingIsBack = (stage: Stage): Promise<void> => until(() => connectionsOut(stage) === 0);

export const BODIES: Checks = {
  'a file is committed before its end': async (stage) => {
    const { status, text } = await stage.request('GET', '/bodies/file');
    assert.deepEqual([status, text], [200, 'one,two']);
    assert.deepEqual(await stage.notes(), ['the handler', 'the body']);
  },

  'a file that fails is cut off, and what its handler did stays': async (stage) => {
    const answer = stage.request('GET', '/bodies/file?fails');
    // Nest 11.0 on Express says of a file that has failed that it has ended.
    if (stage.platform === 'express' && HAS_OLD_FILES) assert.equal((await answer).text, 'one,two');
    else await assert.rejects(answer);
    await everythingIsBack(stage);
    assert.deepEqual(await stage.notes(), ['the handler']);
    // Fastify sends the file itself, and Nest is told of nothing.
    if (stage.platform === 'express') await until(() => stage.said.length > 0);
    for (const line of stage.said.splice(0)) assert.match(line, /a body that fails/);
  },

  'a generator is streamed by Nest 12, is what Nest 11 makes of it, and leaves nothing behind': async (
    stage,
  ) => {
    const { status, text } = await stage.request('GET', '/bodies/generator');
    await everythingIsBack(stage);
    if (VERSION_OF_NEST >= 12) {
      assert.deepEqual([status, text], [200, 'one,two']);
      assert.deepEqual(await stage.notes(), ['the handler', 'the body']);
    } else {
      assert.deepEqual([status, text], [200, '{}']);
      assert.deepEqual(await stage.notes(), ['the handler']);
    }
  },

  'an Observable is answered with its last value, after the COMMIT': async (stage) => {
    const { status, text } = await stage.request('GET', '/bodies/observable');
    assert.deepEqual([status, text], [200, 'last']);
    assert.deepEqual(await stage.notes(), ['the observable']);
  },

  'server-sent events are committed before their end': async (stage) => {
    const { status, text } = await stage.request('GET', '/bodies/events');
    assert.equal(status, 200);
    assert.deepEqual(text.match(/data: \w+/g), ['data: first', 'data: second']);
    assert.deepEqual(await stage.notes(), ['first', 'second']);
  },
};
