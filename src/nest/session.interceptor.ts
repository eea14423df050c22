/** Runs each handler inside its unit of work and lets the answer leave after the COMMIT; one for the application. */
import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { Observable } from 'rxjs';
import { UnsupportedContextError } from '../errors.js';
import { currentScope, runWithScope, Scope } from '../scope/index.js';
import { configureScope, type Ending, keepUnstored, startedTransactionOf } from '../session/index.js';
import { ActiveWork } from './active-work.js';
import { Databases } from './databases.js';
import { EarlyResponses } from './early-responses.js';
import { endWith } from './end-with.js';
import { ExcludedRequests } from './excluded-requests.js';
import { type HandlerPlan, HandlerPlans } from './handler-plan.js';
import { type HttpResponse, rawResponseOf } from './http-response.js';
import { LongTransactions } from './long-transactions.js';

/**
 * The interceptor that `forRoot()` registers for the whole application. Exported for tests that replace it
 * (`overrideProvider(SessionInterceptor)`); nothing else needs to name it.
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
  ) {
    this.#early = new EarlyResponses(work);
    this.#transactions = new LongTransactions(work, databases);
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType<string>() === 'graphql') return this.#refuseGraphQL(next);
    const plan = this.#plans.of(context);
    this.#warnOfHttpSession(context, plan);
    if (!plan.isEnabled) return outsideScopes(next);
    const ending = this.#endingFor(context, plan);
    // Excluded, or somebody around this handler has claimed the end and it only takes part.
    if (ending === undefined || !ending.claim()) return next.handle();
    const response = responseOf(context);
    // Inside the work: options that come too late end it as any other error does.
    const work = (): Observable<unknown> => {
      if (isRead(context)) keepUnstored(ending.scope);
      this.#configure(ending, plan);
      return next.handle();
    };
    return endWith(work, {
      ending,
      emission: plan.emission,
      response,
      warn: this.work.warn,
      report: this.work.report,
      transactions: this.#transactions,
      ended: (error) => response && this.#early.look(response, plan, ending, error),
    });
  }

  /** The request's, which the middleware has opened; a new one where no middleware runs. */
  #endingFor(context: ExecutionContext, plan: HandlerPlan): Ending | undefined {
    if (context.getType() !== 'http') return this.#open(plan);
    const request = rawRequestOf(context);
    if (this.excluded.has(request)) return undefined;
    return this.work.ofRequest(request) ?? this.#openUnseen(context, plan);
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

  #configure(ending: Ending, { label, timeoutMs, scopeOptions, emission }: HandlerPlan): void {
    const { scope } = ending;
    scope.rename(label);
    if (emission === 'atOnce') ending.limit(Infinity);
    else ending.limit(timeoutMs ?? this.databases.settings.scopeTimeoutMs);
    if (scopeOptions === undefined) return;
    configureScope(scope, scopeOptions);
    for (const scoped of this.databases.scoped) {
      // A guard may have begun already: what it began cannot be changed under it.
      const session = scoped.sessionOf(scope);
      if (session !== undefined) startedTransactionOf(session)?.refuseOther(scopeOptions);
    }
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

  #refuseGraphQL(next: CallHandler): Observable<unknown> {
    const scope = currentScope();
    if (scope !== undefined) {
      const refusal = new UnsupportedContextError(
        'Sessions are not served under GraphQL yet: nothing there would commit them. Use scopedSession.independently(fn).',
      );
      configureScope(scope, { refusal, repositories: 'leave' });
    }
    return next.handle();
  }
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

function rawRequestOf(context: ExecutionContext): object {
  const request = context.switchToHttp().getRequest<{ raw?: object }>();
  return request.raw ?? request;
}

function responseOf(context: ExecutionContext): HttpResponse | undefined {
  return context.getType() === 'http' ? context.switchToHttp().getResponse<HttpResponse>() : undefined;
}
