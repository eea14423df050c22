/** Tells HTTP clients what our errors mean to them, and nothing of what they say about the inside. */
import {
  type ArgumentsHost,
  Catch,
  type ExceptionFilter,
  HttpException,
  HttpStatus,
  Inject,
  Injectable,
  Optional,
} from '@nestjs/common';
import { APP_FILTER, BaseExceptionFilter, ModulesContainer } from '@nestjs/core';
import { throwError } from 'rxjs';
import {
  ConnectionUnavailableError,
  DrainingError,
  NoResultFoundError,
  NotFoundError,
  PoolTimeoutError,
  ScopeAbortedError,
  ScopedSessionError,
  ScopeTimeoutError,
  StaleDataError,
  StatementTimeoutError,
} from '../errors.js';
import type { Host } from './container.js';

/** Seconds after which a client may try again. */
const RETRY_AFTER = 1;

const STATUS_OF = [
  [PoolTimeoutError, HttpStatus.SERVICE_UNAVAILABLE],
  [ConnectionUnavailableError, HttpStatus.SERVICE_UNAVAILABLE],
  [DrainingError, HttpStatus.SERVICE_UNAVAILABLE],
  [ScopeTimeoutError, HttpStatus.SERVICE_UNAVAILABLE],
  [StatementTimeoutError, HttpStatus.SERVICE_UNAVAILABLE],
  [ScopeAbortedError, HttpStatus.SERVICE_UNAVAILABLE],
  [NoResultFoundError, HttpStatus.NOT_FOUND],
  [NotFoundError, HttpStatus.NOT_FOUND],
  [StaleDataError, HttpStatus.CONFLICT],
] as const;

@Injectable()
@Catch(ScopedSessionError)
export class SessionErrorFilter extends BaseExceptionFilter<ScopedSessionError> {
  // Not through the constructor, whose argument is Nest's own.
  @Optional() @Inject(ModulesContainer) private readonly container?: ModulesContainer;
  #fromApplication: ExceptionFilter[] | undefined;

  override catch(error: ScopedSessionError, host: ArgumentsHost): unknown {
    // Nest asks this one before those of modules that stand before ours, such as AppModule's: they go first.
    this.#fromApplication ??= [...applicationFilters(this.container?.values() ?? [])].filter(
      (filter) => filter !== this,
    );
    const other = this.#fromApplication.findLast((filter) => catches(filter, error));
    if (other !== undefined) return other.catch(error, host);
    if (host.getType() !== 'http') return throwError(() => error);
    const known = STATUS_OF.find(([type]) => error instanceof type);
    if (known === undefined) return super.catch(error, host);
    const [, status] = known;
    if (error.retryable) setRetryAfter(host);
    const body = { statusCode: status, message: REASONS[status], error: error.code };
    return super.catch(
      new HttpException(body, status, { cause: error }) as unknown as ScopedSessionError,
      host,
    );
  }
}

/** Those that modules provide, in the order in which Nest knows them. */
function* applicationFilters(modules: Iterable<Host>): Generator<ExceptionFilter> {
  for (const { providers } of modules) {
    for (const [token, { instance }] of providers) {
      if (typeof token === 'string' && token.startsWith(`${APP_FILTER} (`)) yield instance as ExceptionFilter;
    }
  }
}

/** Key of Nest's metadata; its own constant is not exported. */
const CATCH_METADATA = '__filterCatchExceptions__';

function catches(filter: ExceptionFilter, error: unknown): boolean {
  const types = (Reflect.getMetadata(CATCH_METADATA, filter.constructor) ?? []) as (new () => unknown)[];
  return types.length === 0 || types.some((type) => error instanceof type);
}

const REASONS = {
  [HttpStatus.SERVICE_UNAVAILABLE]: 'Service Unavailable',
  [HttpStatus.NOT_FOUND]: 'Not Found',
  [HttpStatus.CONFLICT]: 'Conflict',
} as const;

interface AnyResponse {
  readonly raw?: AnyResponse;
  readonly headersSent?: boolean;
  setHeader?(name: string, value: string): void;
  header?(name: string, value: string): void;
}

function setRetryAfter(host: ArgumentsHost): void {
  const response = host.switchToHttp().getResponse<AnyResponse>();
  if ((response.raw ?? response).headersSent === true) return;
  if (response.setHeader !== undefined) response.setHeader('Retry-After', String(RETRY_AFTER));
  else response.header?.('Retry-After', String(RETRY_AFTER));
}
