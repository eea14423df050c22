/** The hooks of a microservice's server are one of each kind: whoever had them keeps them. */
import type { ModulesContainer } from '@nestjs/core';
import { Subject } from 'rxjs';
import { expect, it, vi } from 'vitest';
import type { ActiveWork } from '../../src/nest/active-work.js';
import { UnservedMessages } from '../../src/nest/unserved-messages.js';

type Start = (transport: unknown, context: object, done: () => Promise<unknown>) => unknown;

class Server {
  onProcessingStartHook: Start = (_transport, _context, done) => done();
  onProcessingEndHook: ((transport: unknown, context: object) => void) | undefined;
  setOnProcessingStartHook = (hook: Start): void => void (this.onProcessingStartHook = hook);
  setOnProcessingEndHook = (hook: Server['onProcessingEndHook']): void =>
    void (this.onProcessingEndHook = hook);
}

function watching(server: object): void {
  const servers = new Subject<object>();
  const container = { getRpcTargetRegistry: () => servers } as unknown as ModulesContainer;
  const made = new UnservedMessages(container, { warn: vi.fn() } as unknown as ActiveWork);
  expect(made).toBeInstanceOf(UnservedMessages);
  servers.next(server);
}

it('hooks that were there before are called as before', async () => {
  const server = new Server();
  const seen: string[] = [];
  server.onProcessingStartHook = (_transport, _context, done) => {
    seen.push('start');
    return done();
  };
  server.onProcessingEndHook = () => void seen.push('end');
  watching(server);
  const context = {};
  const result = server.onProcessingStartHook(0, context, async () => 'handled');
  server.onProcessingEndHook(0, context);
  expect(await result).toBe('handled');
  expect(seen).toEqual(['start', 'end']);
});

it('a server without hooks, and a Nest without a registry of servers, are left alone', () => {
  expect(() => watching({})).not.toThrow();
  const container = {} as ModulesContainer;
  expect(() => new UnservedMessages(container, {} as ActiveWork)).not.toThrow();
});
