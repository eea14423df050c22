/** Runs each handler inside its unit of work and lets the answer leave after the COMMIT; one for the application. */
import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { Observable } from 'rxjs';
import { runWithScope, Scope } from '../scope/index.js';
import { type Ending, keepUnstored } from '../session/index.js';
import { ActiveWork } from './active-work.js';
import { nameClient } from './client-of.js';
import { Databases } from './databases.js';
import { EarlyResponses } from './early-responses.js';
import { type Emission, endWith } from './end-with.js';
import { ExcludedRequests } from './excluded-requests.js';
import { refuseUncommitted } from './graphql-refusal.js';
import { GraphQLOperations } from './graphql-operations.js';
import { type HandlerPlan, HandlerPlans } from './handler-plan.js';
import { type HttpResponse, rawResponseOf } from './http-response.js';
import { LongTransactions } from './long-transactions.js';
import { rawRequestOf } from './raw-request.js';
import { setScopeOptions } from './set-scope-options.js';
import { UnservedMessages } from './unserved-messages.js';
import { hasGone, holdAcknowledgement, type SocketClient } from './web-socket.js';

/**
 * The interceptor that `forRoot()` registers for the whole application. Exported for tests that replace it
 * (`overrideProvider(SessionInterceptor)`), and for gateways of Nest 11, for which no interceptor of the application runs:
 * they name it. Where both do, it runs once.
 *
 * @example
 * ```ts
 * import { UseInterceptors } from '@nestjs/common';
 * import { SessionInterceptor } from 'nestjs-scoped-session';
 * @UseInterceptors(SessionInterceptor)
 * export class NotesGateway {}
 * ```
 */
@Injectable()
export class SessionInterceptor implements NestInterceptor {
  readonly #plans = new HandlerPlans();
  readonly #warned = new WeakSet<HandlerPlan>();
  readonly #early: EarlyResponses;
  readonly #transactions: LongTransactions;

  constructor(
    @Inject(ActiveWork) private readonly work: ActiveWork,
    @Inject(Databases) private readonly databases: Databases,
    @Inject(ExcludedRequests) private readonly excluded: ExcludedRequests,
    @Inject(UnservedMessages) private readonly unserved: UnservedMessages,
    @Inject(GraphQLOperations) private readonly operations: GraphQLOperations,
  ) {
    this.#early = new EarlyResponses(work);
    this.#transactions = new LongTransactions(work, databases);
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() === 'rpc') this.unserved.serves(context.switchToRpc().getContext());
    const plan = this.#plans.of(context);
    this.#warnOfHttpSession(context, plan);
    if (!plan.isEnabled) return outsideScopes(next);
    if (context.getType<string>() === 'graphql') return this.#inOperation(context, next, plan);
    const ending = this.#endingFor(context, plan);
    // Excluded, or somebody around this handler has claimed the end and it only takes part.
    if (ending === undefined || !ending.claim()) return next.handle();
    const response = responseOf(context);
    const emission = emissionOf(context, plan);
    // Inside the work: options that come too late end it as any other error does.
    const work = (): Observable<unknown> => {
      if (isRead(context)) keepUnstored(ending.scope);
      nameClient(ending.scope, context, this.databases.settings.readYourWrites);
      this.#configure(ending, plan, emission);
      return next.handle();
    };
    const how = {
      ending,
      emission,
      response,
      warn: this.work.warn,
      report: this.work.report,
      transactions: this.#transactions,
      ended: (error?: unknown) => response && this.#early.look(response, plan, ending, error),
    };
    if (context.getType() !== 'ws') return endWith(work, how);
    const client = context.switchToWs().getClient<SocketClient>();
    const answers = endWith(work, { ...how, unheardMs: () => this.#unheardMs(client, plan) });
    return holdAcknowledgement(context)(answers);
  }

  /** Nest lets go of a message when its socket closes; else it was a timeout, which its client was told of. */
  #unheardMs(client: SocketClient, { timeoutMs }: HandlerPlan): number {
    const { onClientAbort, scopeTimeoutMs } = this.databases.settings;
    return onClientAbort === 'finish' && hasGone(client) ? (timeoutMs ?? scopeTimeoutMs) : 0;
  }

  /** The request's, which the middleware has opened; a new one where no middleware runs. */
  #endingFor(context: ExecutionContext, plan: HandlerPlan): Ending | undefined {
    if (context.getType() !== 'http') return this.#ofMessage(context, plan);
    const request = rawRequestOf(context.switchToHttp().getRequest<object>());
    if (this.excluded.has(request)) return undefined;
    return this.work.ofRequest(request) ?? this.#openUnseen(context, plan);
  }

  /** One for each message, also where a gateway names this interceptor beside the application's. */
  #ofMessage(context: ExecutionContext, plan: HandlerPlan): Ending {
    const known = this.work.ofRequest(context);
    if (known !== undefined) return known;
    const ending = this.#open(plan);
    this.work.setOfRequest(context, ending);
    return ending;
  }

  /** A route that the middleware does not see, such as one outside of the global prefix. */
  #openUnseen(context: ExecutionContext, plan: HandlerPlan): Ending {
    const ending = this.#open(plan);
    rawResponseOf(responseOf(context)!).once('close', () => ending.body?.stop());
    return ending;
  }

  #open({ label }: HandlerPlan): Ending {
    return this.work.open(new Scope({ label, owner: this.databases }));
  }

  #configure(ending: Ending, { label, timeoutMs, scopeOptions }: HandlerPlan, emission: Emission): void {
    const { scope } = ending;
    scope.rename(label);
    if (emission === 'atOnce') ending.limit(Infinity);
    else ending.limit(timeoutMs ?? this.databases.settings.scopeTimeoutMs);
    if (scopeOptions === undefined) return;
    setScopeOptions(scope, scopeOptions, this.databases);
  }

  #warnOfHttpSession(context: ExecutionContext, plan: HandlerPlan): void {
    if (!plan.wantsHttpSession || this.#warned.has(plan) || context.getType() !== 'http') return;
    if (context.switchToHttp().getRequest<{ session?: unknown }>().session !== undefined) return;
    this.#warned.add(plan);
    this.work.warn(
      `${plan.label}: @Session() of @nestjs/common is the HTTP session, and there is none. Import Session (or DbSession) ` +
        'from nestjs-scoped-session.',
    );
  }

  /** The operation ends when all its resolvers have; each of them only takes part. */
  #inOperation(context: ExecutionContext, next: CallHandler, plan: HandlerPlan): Observable<unknown> {
    const name = (scope: Scope): void => nameClient(scope, context, this.databases.settings.readYourWrites);
    if (!this.operations.configure(context.getArgs(), plan, name)) refuseUncommitted(plan.label);
    return next.handle();
  }
}

/** Of the message and not of its handler, which may serve HTTP and messages. */
function emissionOf(context: ExecutionContext, { isEventStream }: HandlerPlan): Emission {
  if (context.getType() !== 'http') return 'holdLast';
  return isEventStream ? 'atOnce' : 'afterCommit';
}

/** Subscribed there too: a cold Observable does its work then. */
function outsideScopes(next: CallHandler): Observable<unknown> {
  return new Observable((subscriber) =>
    runWithScope(undefined, 'outer', () => next.handle().subscribe(subscriber)),
  );
}

/** What a GET changes on its way out, as masking a field does, is not meant to be stored. */
function isRead(context: ExecutionContext): boolean {
  if (context.getType() !== 'http') return false;
  const { method } = context.switchToHttp().getRequest<{ method?: unknown }>();
  return method === 'GET' || method === 'HEAD';
}

function responseOf(context: ExecutionContext): HttpResponse | undefined {
  return context.getType() === 'http' ? context.switchToHttp().getResponse<HttpResponse>() : undefined;
}
