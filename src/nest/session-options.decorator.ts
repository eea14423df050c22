/** `@SessionOptions()`: what a handler or controller sets for its unit of work. */
import { SetMetadata } from '@nestjs/common';
import { flag, readOptions, type Rules } from '../engine/index.js';
import { SCOPE_RULES, type ScopeOptions } from '../session/index.js';

/** Options of `@SessionOptions`. */
export interface HandlerOptions extends ScopeOptions {
  /** False: the handler runs outside every scope, with plain TypeORM. Default true. */
  readonly enabled?: boolean;
}

const HANDLER_RULES: Rules<HandlerOptions> = { ...SCOPE_RULES, enabled: flag };
const METADATA = Symbol('nestjs-scoped-session.options');

/**
 * Sets options for the unit of work of one handler, or of all handlers of a controller; the handler's go first.
 *
 * @param options - `isolation`, `readOnly`, `begin`, `unrepeatableReads`, `commit`, `repositories`, `timeoutMs`, `enabled`
 * @throws `SS_ERR_INVALID_OPTION` when the class is loaded
 *
 * @example
 * ```ts
 * import { Controller, Get } from '@nestjs/common';
 * import { SessionOptions } from 'nestjs-scoped-session';
 * @Controller('reports')
 * export class ReportsController {
 *   @Get()
 *   @SessionOptions({ readOnly: true, isolation: 'REPEATABLE READ' })
 *   all() {
 *     return [];
 *   }
 * }
 * ```
 */
export function SessionOptions(options: HandlerOptions): ClassDecorator & MethodDecorator {
  return SetMetadata(METADATA, readOptions('@SessionOptions', options, HANDLER_RULES));
}

export function readHandlerOptions(handler: object, controller: object): HandlerOptions {
  const ofController = Reflect.getMetadata(METADATA, controller) as HandlerOptions | undefined;
  const ofHandler = Reflect.getMetadata(METADATA, handler) as HandlerOptions | undefined;
  return { ...ofController, ...ofHandler };
}
