/** The GraphQL operations that run now, by the context object that each operation has of its own. */
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { UnsupportedContextError } from '../errors.js';
import { currentScope, Scope } from '../scope/index.js';
import { configureScope, type Ending } from '../session/index.js';
import { ActiveWork } from './active-work.js';
import { Databases } from './databases.js';
import { ExcludedRequests } from './excluded-requests.js';
import { GraphQLOperation } from './graphql-operation.js';
import { runResolversIn, type RunResolver } from './graphql-schema.js';
import type { GraphQLSchema } from './graphql-shapes.js';
import type { HandlerPlan } from './handler-plan.js';

export interface BegunOperation {
  /** What its resolvers get as their context. */
  readonly context: object;
  readonly schema: GraphQLSchema;
  /** The raw HTTP request, where there is one. */
  readonly request: object | undefined;
  /** The HTTP request has several operations; they run at the same time. */
  readonly isOneOfMany: boolean;
}

/** Somebody around the operation ends the unit of work, or it was excluded and has none. */
const TAKES_PART = 'takes part';

@Injectable()
export class GraphQLOperations implements OnApplicationShutdown {
  readonly #operations = new WeakMap<object, GraphQLOperation | typeof TAKES_PART>();
  readonly #schemas = new WeakSet<GraphQLSchema>();
  readonly #undo: (() => void)[] = [];

  constructor(
    @Inject(ActiveWork) private readonly work: ActiveWork,
    @Inject(Databases) private readonly databases: Databases,
    @Inject(ExcludedRequests) private readonly excluded: ExcludedRequests,
  ) {}

  /** Claims the end of the operation's unit of work; whoever calls must end it. */
  begin(begun: BegunOperation): GraphQLOperation | undefined {
    const { context, schema } = begun;
    // A plugin that is found twice begins nothing twice.
    if (this.#operations.has(context)) return undefined;
    this.#prepare(schema);
    const ending = this.#endingFor(begun);
    if (ending === undefined || !ending.claim()) {
      this.#operations.set(context, TAKES_PART);
      return undefined;
    }
    const operation = new GraphQLOperation(ending, this.databases);
    this.#operations.set(context, operation);
    // The middleware knows the request's own unit of work only.
    ending.scope.parent?.atEnd(() => this.#requestEnded(operation));
    return operation;
  }

  /** A resolver with options of its own; false when no operation was begun around it, so that nobody would commit. */
  configure(
    resolverArguments: readonly unknown[],
    plan: HandlerPlan,
    nameClient: (scope: Scope) => void,
  ): boolean {
    for (const one of resolverArguments) {
      const operation = this.#of(one);
      if (operation === undefined) continue;
      if (operation !== TAKES_PART) operation.configure(plan, nameClient);
      return true;
    }
    return false;
  }

  /** Called by Nest. */
  onApplicationShutdown(): void {
    // A schema may be made outside of the application, and outlive it.
    for (const undo of this.#undo.splice(0)) undo();
  }

  #requestEnded(operation: GraphQLOperation): void {
    if (this.databases.settings.onClientAbort === 'rollback') operation.abandon();
    else operation.closed();
  }

  #prepare(schema: GraphQLSchema): void {
    if (this.#schemas.has(schema)) return;
    this.#schemas.add(schema);
    this.#undo.push(runResolversIn(this.#run, schema));
  }

  readonly #run: RunResolver = (context, info, work) => {
    const operation = this.#of(context);
    return operation === undefined || operation === TAKES_PART ? work() : operation.resolve(info, work);
  };

  #of(context: unknown): GraphQLOperation | typeof TAKES_PART | undefined {
    return typeof context === 'object' && context !== null ? this.#operations.get(context) : undefined;
  }

  /** The HTTP request's, which the middleware has opened; a new one for each of several, and where no middleware runs. */
  #endingFor({ request, isOneOfMany }: BegunOperation): Ending | undefined {
    if (request !== undefined && this.excluded.has(request)) return undefined;
    const around = currentScope();
    if (around === undefined) return this.#open();
    const ending = this.work.ofScope(around);
    if (!isOneOfMany || ending === undefined || ending.isClaimed) return ending;
    const refusal = new UnsupportedContextError(
      'A session was used in a batch of GraphQL operations, by code that belongs to none of them. Each operation of the ' +
        'batch has its own: use it in a resolver or a guard, or use scopedSession.independently(fn).',
    );
    configureScope(around, { refusal, repositories: 'leave' });
    return this.#open(around);
  }

  #open(parent?: Scope): Ending {
    const ending = this.work.open(new Scope({ label: 'GraphQL operation', owner: this.databases, parent }));
    ending.limit(this.databases.settings.scopeTimeoutMs);
    return ending;
  }
}
