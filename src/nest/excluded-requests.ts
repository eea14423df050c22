/** The HTTP requests that `exclude` keeps without a scope: those that came by, and were given none. */
import { Inject, Injectable, type NestMiddleware } from '@nestjs/common';
import { ActiveWork } from './active-work.js';

@Injectable()
export class ExcludedRequests {
  readonly #seen = new WeakSet<object>();

  constructor(@Inject(ActiveWork) private readonly work: ActiveWork) {}

  add(request: object): void {
    this.#seen.add(request);
  }

  has(request: object): boolean {
    return this.#seen.has(request) && this.work.ofRequest(request) === undefined;
  }
}

/** Nest makes an instance of its own of a middleware, so that the requests are kept elsewhere. */
@Injectable()
export class ExcludedRequestsMiddleware implements NestMiddleware {
  constructor(@Inject(ExcludedRequests) private readonly requests: ExcludedRequests) {}

  use(request: object, _response: unknown, next: () => void): void {
    this.requests.add(request);
    next();
  }
}
