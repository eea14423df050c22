/** Begins and ends the units of work of Apollo Server's operations; @nestjs/apollo finds it by its metadata. */
import { Inject, Injectable, SetMetadata } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { ActiveWork } from './active-work.js';
import type { GraphQLOperation, OperationEnd } from './graphql-operation.js';
import { GraphQLOperations } from './graphql-operations.js';
import { answerOf, errorClassOf, plainFailure, plainUndone } from './graphql-answer.js';
import type { GraphQLFailure, GraphQLResult, GraphQLSchema } from './graphql-shapes.js';
import { rawRequestOf } from './raw-request.js';

/** Of `@Plugin()` of @nestjs/apollo, which is not imported: most applications do not have it. */
const PLUGIN_METADATA = 'graphql:plugin';
/** Under which @nestjs/graphql keeps what its `forRoot()` was given. */
const GRAPHQL_OPTIONS = 'GqlModuleOptions';

interface ApolloRequest {
  readonly schema: GraphQLSchema;
  readonly contextValue: object;
  readonly requestIsBatched?: boolean;
  readonly operation?: { readonly operation: string } | undefined;
  /** A list of the server's own, which it makes plain after the hooks have seen it. */
  readonly errors?: readonly GraphQLFailure[] | undefined;
  readonly response: {
    readonly body?: { readonly kind: string; singleResult?: GraphQLResult } | undefined;
  };
}

type FormatError = (plain: GraphQLFailure, error: unknown) => GraphQLFailure;

@Injectable()
@SetMetadata(PLUGIN_METADATA, true)
export class ApolloPlugin {
  readonly #begun = new WeakMap<object, GraphQLOperation>();

  constructor(
    @Inject(GraphQLOperations) private readonly operations: GraphQLOperations,
    @Inject(ActiveWork) private readonly work: ActiveWork,
    @Inject(ModulesContainer) private readonly container: ModulesContainer,
  ) {}

  /** Called by Apollo Server; it drains before Nest tells anybody else of the shutdown, and waits for responses. */
  async serverWillStart(): Promise<object> {
    return { drainServer: (): Promise<void> => this.work.drain() };
  }

  /** Called by Apollo Server for each operation, before it is parsed. */
  async requestDidStart(): Promise<object> {
    return this.#hooks;
  }

  /** Called by Apollo Server when a plugin has thrown: no other hook comes any more. */
  async unexpectedErrorProcessingRequest({
    requestContext,
    error,
  }: {
    requestContext: ApolloRequest;
    error: Error;
  }): Promise<void> {
    await this.#begun
      .get(requestContext.contextValue)
      ?.end([{ message: error.message, originalError: error }]);
  }

  /** The same for every operation: each hook is given its request. */
  readonly #hooks = {
    didResolveOperation: async (request: ApolloRequest): Promise<void> => this.#begin(request),
    didEncounterErrors: async (request: ApolloRequest): Promise<void> => this.#failed(request),
    executionDidStart: async (request: ApolloRequest): Promise<object> => ({
      executionDidEnd: async (): Promise<void> => this.#end(request),
    }),
    // Where another plugin has answered, nothing was executed.
    willSendResponse: async (request: ApolloRequest): Promise<void> => this.#end(request),
  };

  #begin({ schema, contextValue: context, requestIsBatched, operation: chosen }: ApolloRequest): void {
    if (chosen === undefined) return;
    const { req } = context as { req?: object };
    const request = req && rawRequestOf(req);
    const isOneOfMany = requestIsBatched === true;
    const operation = this.operations.begin({ context, schema, request, isOneOfMany });
    if (operation !== undefined) this.#begun.set(context, operation);
  }

  /** Here the application's own formatting of errors still comes afterwards. */
  async #failed({ contextValue, errors = [] }: ApolloRequest): Promise<void> {
    const operation = this.#begun.get(contextValue);
    if (operation === undefined) return;
    const end = await operation.end(errors);
    if (end.errors.length === 0) return;
    const GraphQLError = errorClassOf(errors);
    (errors as GraphQLFailure[]).push(
      ...end.errors.map(({ path, error }) => {
        const { message, extensions } = plainFailure(error);
        return new GraphQLError(message, { path, extensions, originalError: error });
      }),
    );
  }

  async #end({ contextValue, response, errors }: ApolloRequest): Promise<void> {
    const operation = this.#begun.get(contextValue);
    if (operation === undefined) return;
    const { body } = response;
    const result = body?.singleResult;
    const end = await operation.end(errors ?? result?.errors);
    if (!end.isUndone || body === undefined || result === undefined) return;
    // The hooks that come later find it told.
    this.#begun.delete(contextValue);
    const told = errors === undefined ? this.#errorsOf(end) : [];
    body.singleResult = answerOf(result, told);
  }

  #errorsOf({ failure, errors }: OperationEnd): GraphQLFailure[] {
    if (failure === undefined) return errors.map(plainUndone);
    return [this.#format(failure)];
  }

  /** As the server formats what resolvers throw; it says no more of a formatting that fails. */
  #format(failure: unknown): GraphQLFailure {
    const plain = plainFailure(failure);
    try {
      return this.#formatError?.(plain, failure) ?? plain;
    } catch {
      return plainFailure(new Error('Internal server error'));
    }
  }

  /** The server does not show it to plugins, and has done its formatting by now. */
  get #formatError(): FormatError | undefined {
    for (const { providers } of this.container.values()) {
      const options: unknown = providers.get(GRAPHQL_OPTIONS)?.instance;
      const { formatError } = (options ?? {}) as { formatError?: FormatError };
      if (typeof formatError === 'function') return formatError;
    }
    return undefined;
  }
}
