/** Tells clients what our errors mean to them, and nothing of what they say about the inside. */
import {
  type ArgumentsHost,
  Catch,
  type ExceptionFilter,
  HttpException,
  HttpStatus,
  Inject,
  Injectable,
  Logger,
  Optional,
} from '@nestjs/common';
import { APP_FILTER, BaseExceptionFilter, ModulesContainer } from '@nestjs/core';
import { throwError } from 'rxjs';
import {
  BackgroundQueueFullError,
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
import { tellOfError } from './web-socket.js';

/** Seconds after which a client may try again. */
const RETRY_AFTER = 1;

const STATUS_OF = [
  [PoolTimeoutError, HttpStatus.SERVICE_UNAVAILABLE],
  [ConnectionUnavailableError, HttpStatus.SERVICE_UNAVAILABLE],
  [DrainingError, HttpStatus.SERVICE_UNAVAILABLE],
  [BackgroundQueueFullError, HttpStatus.SERVICE_UNAVAILABLE],
  [ScopeTimeoutError, HttpStatus.SERVICE_UNAVAILABLE],
  [StatementTimeoutError, HttpStatus.SERVICE_UNAVAILABLE],
  [ScopeAbortedError, HttpStatus.SERVICE_UNAVAILABLE],
  [NoResultFoundError, HttpStatus.NOT_FOUND],
  [NotFoundError, HttpStatus.NOT_FOUND],
  [StaleDataError, HttpStatus.CONFLICT],
] as const;

/**
 * Answers this library's errors: registered for HTTP and for messages of microservices. Nest has no global filters for
 * gateways: there `@UseFilters(SessionErrorFilter)` sends the code; without it a client is told "Internal server error".
 *
 * @example
 * ```ts
 * import { UseFilters } from '@nestjs/common';
 * import { SessionErrorFilter } from 'nestjs-scoped-session';
 * @UseFilters(SessionErrorFilter)
 * export class NotesGateway {}
 * ```
 */
@Injectable()
@Catch(ScopedSessionError)
export class SessionErrorFilter extends BaseExceptionFilter<ScopedSessionError> {
  // Not through the constructor, whose argument is Nest's own.
  @Optional() @Inject(ModulesContainer) private readonly container?: ModulesContainer;
  #fromApplication: ExceptionFilter[] | undefined;
  readonly #logger = new Logger('ScopedSessionModule');

  /** Called by Nest. */
  override catch(error: ScopedSessionError, host: ArgumentsHost): unknown {
    if (host.getType() === 'ws') return tellOfError(host.switchToWs().getClient(), this.#messageOf(error));
    // Nest asks this one before those of modules that stand before ours, such as AppModule's: they go first.
    this.#fromApplication ??= [...applicationFilters(this.container?.values() ?? [])].filter(
      (filter) => filter !== this,
    );
    const other = this.#fromApplication.findLast((filter) => catches(filter, error));
    if (other !== undefined) return other.catch(error, host);
    // GraphQL tells an error by throwing it; an Observable would be the field's value.
    if (host.getType<string>() === 'graphql') throw error;
    if (host.getType() !== 'http') {
      const message = this.#messageOf(error);
      // Nest does not say which message is an event: of that, nobody else would ever hear.
      if (statusOf(error) !== undefined) this.#logger.warn(`${error.code}: ${error.message}`);
      return throwError(() => message);
    }
    const status = statusOf(error);
    if (status === undefined) return super.catch(error, host);
    if (error.retryable) setRetryAfter(host);
    const body = { statusCode: status, message: REASONS[status], error: error.code };
    return super.catch(
      new HttpException(body, status, { cause: error }) as unknown as ScopedSessionError,
      host,
    );
  }

  /** In the form of Nest's own. The error itself has others in it, with what they know of the inside. */
  #messageOf(error: ScopedSessionError): object {
    const status = statusOf(error);
    if (status === undefined) this.#logger.error(error);
    const { code, retryable, outcome } = error;
    const message = status === undefined ? 'Internal server error' : REASONS[status];
    return { status: 'error', message, code, retryable, outcome };
  }
}

function statusOf(error: ScopedSessionError): keyof typeof REASONS | undefined {
  return STATUS_OF.find(([type]) => error instanceof type)?.[1];
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
