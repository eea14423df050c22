/** Notices microservices whose messages pass the application's interceptor by: connected without `inheritAppConfig`. */
import { Inject, Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { watchPlainUse } from '../session/index.js';
import { ActiveWork } from './active-work.js';

type Start = (transport: unknown, context: object, done: () => Promise<unknown>) => unknown;
type End = (transport: unknown, context: object) => void;

/** What Nest's servers of microservices have; one of the application's own, or an older one, may have none of it. */
interface RpcServer {
  readonly onProcessingStartHook?: Start;
  readonly onProcessingEndHook?: End;
  setOnProcessingStartHook?(hook: Start): void;
  setOnProcessingEndHook?(hook: End): void;
}

@Injectable()
export class UnservedMessages {
  /** Messages whose handlers the interceptor has run, by Nest's context of each. */
  readonly #served = new WeakSet<object>();

  constructor(
    @Inject(ModulesContainer) container: ModulesContainer,
    @Inject(ActiveWork) private readonly work: ActiveWork,
  ) {
    // Providers are made before a microservice can be connected.
    container.getRpcTargetRegistry?.<RpcServer>().subscribe((server) => this.#watch(server));
  }

  /** The interceptor runs the handler of the message that has this context. */
  serves(context: object | undefined): void {
    if (context !== undefined) this.#served.add(context);
  }

  /** Until one message has told which it is; nothing is asked of any later one. */
  #watch(server: RpcServer): void {
    if (server.setOnProcessingStartHook === undefined || server.setOnProcessingEndHook === undefined) return;
    const { onProcessingStartHook: start, onProcessingEndHook: end } = server;
    const plain = new WeakSet<object>();
    let isKnown = false;
    // There is one hook of each kind: what somebody else has set is called as before.
    server.setOnProcessingStartHook((transport, context, done) => {
      const go = isKnown ? done : () => watchPlainUse(() => plain.add(context), done);
      return start === undefined ? go() : start.call(server, transport, context, go);
    });
    server.setOnProcessingEndHook((transport, context) => {
      end?.call(server, transport, context);
      if (isKnown) return;
      const isServed = this.#served.has(context);
      isKnown = isServed || plain.has(context);
      if (isKnown && !isServed) this.#warn();
    });
  }

  #warn(): void {
    this.work.warn(
      'A message used TypeORM, and no unit of work: each statement was committed by itself. A hybrid application needs ' +
        'connectMicroservice(options, { inheritAppConfig: true }); with it, only guards that refuse a message do this.',
    );
  }
}
