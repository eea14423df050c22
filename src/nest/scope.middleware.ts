/** Opens a scope for every HTTP request, around guards, handler and filters; catches what nobody ended. */
import { Inject, Injectable, type NestMiddleware } from '@nestjs/common';
import { ScopeAbortedError } from '../errors.js';
import { runWithScope, Scope } from '../scope/index.js';
import { type Ending, startedTransactionOf } from '../session/index.js';
import { ActiveWork } from './active-work.js';
import { Databases } from './databases.js';

/** The raw request and response, which are the same under Express and Fastify. */
export interface RawRequest {
  readonly method?: string;
  readonly url?: string;
  readonly originalUrl?: string;
  readonly headers?: { readonly upgrade?: string };
}

export interface RawResponse {
  readonly statusCode: number;
  readonly writableFinished: boolean;
  readonly headersSent: boolean;
  once(event: 'close', listener: () => void): unknown;
}

@Injectable()
export class ScopeMiddleware implements NestMiddleware<RawRequest, RawResponse> {
  constructor(
    @Inject(ActiveWork) private readonly work: ActiveWork,
    @Inject(Databases) private readonly databases: Databases,
  ) {}

  use(request: RawRequest, response: RawResponse, next: () => void): void {
    // Its response is never closed: what the socket brings later has units of work of its own.
    if (request.headers?.upgrade?.toLowerCase() === 'websocket') return next();
    // Always a new one: what surrounds the server's socket is nobody's unit of work.
    const scope = new Scope({ label: () => labelOf(request), owner: this.databases });
    const ending = this.work.open(scope);
    ending.limit(this.databases.settings.scopeTimeoutMs);
    this.work.setOfRequest(request, ending);
    response.once('close', () => this.#closed(ending, response));
    runWithScope(scope, 'outer', next);
  }

  /** The socket is done with the request. A handler that still runs ends its work itself, unless told otherwise. */
  #closed(ending: Ending, response: RawResponse): void {
    if (ending.hasBegun) return;
    // Also of a body that nobody reads: of a HEAD, or one that somebody outside has thrown away.
    if (ending.body !== undefined) return ending.body.stop();
    const isGone = !response.writableFinished;
    if (ending.isClaimed && !(isGone && this.databases.settings.onClientAbort === 'rollback')) return;
    if (!ending.isClaimed && !isGone && response.statusCode < 400) this.#warnOfWrites(ending);
    const error = new ScopeAbortedError(
      `${ending.scope.label}: ${isGone ? 'the client has gone' : 'nothing ended it before its response was sent'}.`,
      { outcome: 'rolledBack' },
    );
    ending.end({ kind: 'abandoned', error }).catch((later: unknown) => this.work.warn(String(later)));
  }

  #warnOfWrites({ scope }: Ending): void {
    for (const scoped of this.databases.scoped) {
      const session = scoped.sessionOf(scope);
      if (session === undefined || startedTransactionOf(session)?.hasWritten !== true) continue;
      this.work.warn(
        `${scope.label}: writes were rolled back, for they were made where no interceptor commits (a guard whose handler ` +
          'never ran, a middleware). Use scopedSession.independently(fn) there.',
      );
    }
  }
}

/** Without the query, which may hold anything. */
function labelOf({ method = '?', originalUrl, url = '' }: RawRequest): string {
  const [path] = (originalUrl ?? url).split('?');
  return `${method} ${path}`;
}
