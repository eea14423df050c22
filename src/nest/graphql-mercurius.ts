/** Begins and ends the units of work of Mercurius' operations, by hooks on the application's Fastify instance. */
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { answerOf, plainUndone, thrownFailure } from './graphql-answer.js';
import type { GraphQLOperation } from './graphql-operation.js';
import { GraphQLOperations } from './graphql-operations.js';
import type { GraphQLResult, GraphQLSchema } from './graphql-shapes.js';
import { rawRequestOf } from './raw-request.js';

interface MercuriusContext {
  readonly operationsCount?: number;
  readonly reply?: {
    readonly request?: object;
    readonly raw?: { once(event: 'close', listener: () => void): unknown };
  };
}

interface Mercurius {
  addHook(name: string, hook: (...given: never[]) => Promise<void>): void;
}

@Injectable()
export class MercuriusHooks implements OnApplicationBootstrap {
  readonly #begun = new WeakMap<object, GraphQLOperation>();

  constructor(
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(GraphQLOperations) private readonly operations: GraphQLOperations,
  ) {}

  /** Called by Nest, when the driver has registered Mercurius and nobody listens yet. */
  onApplicationBootstrap(): void {
    const adapter = this.host.httpAdapter as HttpAdapterHost['httpAdapter'] | undefined;
    if (adapter?.getType() !== 'fastify') return;
    const { graphql } = adapter.getInstance<{ graphql?: Mercurius }>();
    if (typeof graphql?.addHook !== 'function') return;
    graphql.addHook(
      'preExecution',
      async (schema: GraphQLSchema, _document: never, context: MercuriusContext) => {
        this.#begin(schema, context);
      },
    );
    graphql.addHook('onResolution', (execution: GraphQLResult, context: MercuriusContext) =>
      this.#end(execution, context),
    );
  }

  #begin(schema: GraphQLSchema, context: MercuriusContext): void {
    const { reply, operationsCount = 1 } = context;
    const isOneOfMany = operationsCount > 1;
    const request = reply?.request && rawRequestOf(reply.request);
    const operation = this.operations.begin({ context, schema, request, isOneOfMany });
    if (operation === undefined) return;
    this.#begun.set(context, operation);
    // Another hook may throw, and then no end is told.
    if (!isOneOfMany) reply?.raw?.once('close', () => operation.closed());
  }

  async #end(execution: GraphQLResult, context: MercuriusContext): Promise<void> {
    const operation = this.#begun.get(context);
    if (operation === undefined) return;
    const end = await operation.end(execution.errors ?? []);
    // It is answered as any error is that a route throws, with no data, and formatted as the application wants it.
    if (end.failure !== undefined) throw thrownFailure(end.failure);
    if (end.isUndone) Object.assign(execution, answerOf(execution, end.errors.map(plainUndone)));
  }
}
