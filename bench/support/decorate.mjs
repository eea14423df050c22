/** Decorators for plain JavaScript: what a compiler emits for `@Controller() class …`. */

/**
 * @param {Function} target - the class
 * @param {readonly ClassDecorator[]} decorators - of the class
 * @param {Record<string, { method?: readonly MethodDecorator[], parameters?: readonly (ParameterDecorator | undefined)[] }>} members
 */
export function decorate(target, decorators, members = {}) {
  const { prototype } = target;
  for (const [name, { method = [], parameters = [] }] of Object.entries(members)) {
    parameters.forEach((decorator, index) => decorator?.(prototype, name, index));
    for (const decorator of method.toReversed()) {
      const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
      Object.defineProperty(prototype, name, decorator(prototype, name, descriptor) ?? descriptor);
    }
  }
  for (const decorator of decorators.toReversed()) decorator(target);
  return target;
}

/** @param {readonly PropertyDecorator[]} decorators */
export function decorateProperty(target, name, decorators) {
  for (const decorator of decorators.toReversed()) decorator(target.prototype, name);
}

/** @param {readonly ParameterDecorator[]} decorators - one for each argument of the constructor */
export function inject(target, decorators) {
  decorators.forEach((decorator, index) => decorator(target, undefined, index));
}
