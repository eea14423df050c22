/** Reads Nest's container: which module provides a token, and what a provider waits for. */
import type { InjectionToken } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';

export type Host = ModulesContainer extends Map<string, infer M> ? M : never;
export type Wrapper = Host['providers'] extends Map<unknown, infer W> ? W : never;

export function hostsOf(container: ModulesContainer, token: InjectionToken): Host[] {
  return [...container.values()].filter((module) => module.providers.has(token));
}

/** The tokens from `wrapper` to one of `goals`, by what each provider injects; undefined when there is no way. */
export function pathTo(
  container: ModulesContainer,
  wrapper: Wrapper,
  goals: ReadonlySet<InjectionToken>,
  seen: Set<Wrapper> = new Set(),
): string[] | undefined {
  if (seen.has(wrapper)) return undefined;
  seen.add(wrapper);
  for (const token of tokensOf(wrapper)) {
    if (goals.has(token)) return [nameOfToken(wrapper.token), nameOfToken(token)];
    for (const next of candidatesFor(container, wrapper, token)) {
      const way = pathTo(container, next, goals, seen);
      if (way !== undefined) return [nameOfToken(wrapper.token), ...way];
    }
  }
  return undefined;
}

/** The module's own provider comes first, as in Nest; which of the others it can see is not asked. */
function candidatesFor(container: ModulesContainer, wrapper: Wrapper, token: InjectionToken): Wrapper[] {
  const own = wrapper.host?.providers.get(token);
  if (own !== undefined && own !== wrapper) return [own];
  return hostsOf(container, token).map((host) => host.providers.get(token)!);
}

function tokensOf(wrapper: Wrapper): InjectionToken[] {
  const given: unknown[] =
    wrapper.inject ?? (typeof wrapper.metatype === 'function' ? injectedBy(wrapper.metatype) : []);
  return given.map(unwrap).filter((token) => token !== undefined);
}

/** What a class injects through its constructor and its properties. */
function injectedBy(metatype: object): unknown[] {
  const byType = (Reflect.getMetadata('design:paramtypes', metatype) ?? []) as unknown[];
  const byDecorator = (Reflect.getMetadata('self:paramtypes', metatype) ?? []) as { param: unknown }[];
  const properties = (Reflect.getMetadata('self:properties_metadata', metatype) ?? []) as { type: unknown }[];
  return [...byType, ...byDecorator.map(({ param }) => param), ...properties.map(({ type }) => type)];
}

/** `{ token, optional }` and `forwardRef(() => token)`. */
function unwrap(given: unknown): InjectionToken | undefined {
  if (typeof given !== 'object' || given === null) return given as InjectionToken | undefined;
  const { token, forwardRef } = given as { token?: unknown; forwardRef?: () => unknown };
  return token !== undefined ? unwrap(token) : (forwardRef?.() as InjectionToken | undefined);
}

export function nameOfToken(token: InjectionToken): string {
  return typeof token === 'function' ? token.name : String(token);
}

/** Every singleton that the application's modules have made. */
export function* singletonsOf(container: ModulesContainer): Generator {
  for (const module of container.values()) {
    for (const wrapper of [
      ...module.providers.values(),
      ...module.controllers.values(),
      ...module.injectables.values(),
    ]) {
      if (wrapper.isDependencyTreeStatic()) yield wrapper.instance;
    }
  }
}

/** Nest's own key of its metadata, which is not exported. */
const INTERCEPTORS_METADATA = '__interceptors__';

/** The interceptors that controllers and their handlers were given as objects, and no module has made. */
export function* givenInterceptorsOf(container: ModulesContainer): Generator {
  for (const module of container.values()) {
    for (const { metatype } of module.controllers.values()) {
      if (typeof metatype !== 'function') continue;
      yield* interceptorsOf(metatype);
      for (const handler of methodsOf(metatype.prototype as object)) yield* interceptorsOf(handler);
    }
  }
}

function interceptorsOf(target: object): unknown[] {
  return (Reflect.getMetadata(INTERCEPTORS_METADATA, target) ?? []) as unknown[];
}

/** Inherited ones too. */
function* methodsOf(prototype: object): Generator<object> {
  for (let at: object = prototype; at !== Object.prototype; at = Object.getPrototypeOf(at) as object) {
    for (const { value } of Object.values(Object.getOwnPropertyDescriptors(at)))
      if (typeof value === 'function') yield value as object;
  }
}
