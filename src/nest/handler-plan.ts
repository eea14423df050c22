/** What is known of a handler before it runs; read once for each. */
import type { ExecutionContext } from '@nestjs/common';
import type { ScopeOptions } from '../session/index.js';
import { readHandlerOptions } from './session-options.decorator.js';

/** Keys of Nest's metadata; its own constants are not exported. */
const SSE_METADATA = '__sse__';
const ROUTE_ARGUMENTS_METADATA = '__routeArguments__';
/** `@Session()` of @nestjs/common has this number among Nest's parameter kinds. */
const NEST_SESSION_PARAMETER = /^7:/;

export interface HandlerPlan {
  readonly label: string;
  readonly isEnabled: boolean;
  readonly timeoutMs: number | undefined;
  /** What it sets for its scope; undefined when it sets nothing. */
  readonly scopeOptions: ScopeOptions | undefined;
  /** Its values are server-sent events, over HTTP. */
  readonly isEventStream: boolean;
  /** A parameter is decorated with @nestjs/common's `@Session()`, which is the HTTP session. */
  readonly wantsHttpSession: boolean;
}

export class HandlerPlans {
  readonly #plans = new WeakMap<object, WeakMap<object, HandlerPlan>>();

  of(context: ExecutionContext): HandlerPlan {
    const controller = context.getClass();
    const handler = context.getHandler();
    let ofController = this.#plans.get(controller);
    if (ofController === undefined) this.#plans.set(controller, (ofController = new WeakMap()));
    let plan = ofController.get(handler);
    if (plan === undefined) ofController.set(handler, (plan = planOf(context)));
    return plan;
  }
}

function planOf(context: ExecutionContext): HandlerPlan {
  const controller = context.getClass();
  const handler = context.getHandler();
  const parameters = (Reflect.getMetadata(ROUTE_ARGUMENTS_METADATA, controller, handler.name) ??
    {}) as object;
  const { enabled = true, timeoutMs, ...scopeOptions } = readHandlerOptions(handler, controller);
  return {
    label: `${controller.name}.${handler.name}`,
    isEnabled: enabled,
    timeoutMs,
    scopeOptions: Object.keys(scopeOptions).length === 0 ? undefined : scopeOptions,
    isEventStream: Reflect.getMetadata(SSE_METADATA, handler) !== undefined,
    wantsHttpSession: Object.keys(parameters).some((key) => NEST_SESSION_PARAMETER.test(key)),
  };
}
