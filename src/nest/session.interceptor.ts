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
import { nameClient } from './client-of.js';
import { Databases } from './databases.js';
import { endWith } from './end-with.js';
import { ExcludedRequests } from './excluded-requests.js';
import { type HandlerPlan, HandlerPlans } from './handler-plan.js';

/**
 * The interceptor that `forRoot()` registers for the whole application. Exported for tests that replace it
 * (`overrideProvider(SessionInterceptor)`); nothing else needs to name it.
 */
@Injectable()
export class SessionInterceptor implements NestInterceptor {
  readonly #plans = new HandlerPlans();
  readonly #warned = new WeakSet<HandlerPlan>();

  constructor(
    @Inject(ActiveWork) private readonly work: ActiveWork,
    @Inject(Databases) private readonly databases: Databases,
    @Inject(ExcludedRequests) private readonly excluded: ExcludedRequests,
  ) {}

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
      nameClient(ending.scope, context, this.databases.settings.readYourWrites);
      this.#configure(ending, plan);
      return next.handle();
    };
    return endWith(work, {
      ending,
      emission: plan.emission,
      statusOf: (error) => this.#statusOf(response, error, ending, plan),
      warn: (message) => this.work.warn(message),
    });
  }

  /** The request's, which the middleware has opened; a new one where no middleware runs. */
  #endingFor(context: ExecutionContext, plan: HandlerPlan): Ending | undefined {
    if (context.getType() !== 'http') return this.#open(plan);
    const request = rawRequestOf(context);
    if (this.excluded.has(request)) return undefined;
    return this.work.ofRequest(request) ?? this.#open(plan);
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

  #statusOf(
    response: HttpResponse | undefined,
    error: unknown,
    { scope }: Ending,
    plan: HandlerPlan,
  ): number | undefined {
    if (response === undefined) return undefined;
    if (error !== undefined) return statusOfError(error);
    const { headersSent } = response.raw ?? response;
    if (headersSent === true && scope.isUsed && plan.emission === 'afterCommit' && !this.#warned.has(plan)) {
      this.#warned.add(plan);
      this.work.warn(
        `${plan.label} sent its response through @Res() before the COMMIT; a COMMIT that fails cannot be told any more. ` +
          'Return the value, or use @Res({ passthrough: true }).',
      );
    }
    return response.statusCode;
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

/** An object with getters instead would be a class of its own for V8, and outlive its request by a major collection. */
interface HttpResponse {
  readonly statusCode: number;
  readonly headersSent?: boolean;
  /** Fastify keeps the status on its reply, and the rest on the raw response. */
  readonly raw?: { readonly headersSent: boolean };
}

function responseOf(context: ExecutionContext): HttpResponse | undefined {
  return context.getType() === 'http' ? context.switchToHttp().getResponse<HttpResponse>() : undefined;
}

function statusOfError(error: unknown): number {
  const { getStatus } = (error ?? {}) as { getStatus?: () => unknown };
  const status = typeof getStatus === 'function' ? getStatus.call(error) : undefined;
  return typeof status === 'number' ? status : 500;
}
