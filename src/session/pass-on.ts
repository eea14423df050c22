/** Puts members on a prototype that pass every use on to another object, found at the moment of the use. */

type Members = Record<string | symbol, unknown>;
type IsPromised = (name: string | symbol, given: readonly unknown[]) => boolean;

/**
 * Gives `target` every public member of `source` that it has not itself. What inspection and conversion touch is left out:
 * looking at the object must not need a session.
 *
 * @param current - finds the object that a use is passed on to
 * @param isPromised - whether such a call promises something: where no object is found it rejects, and does not throw
 */
export function passOn(
  source: object,
  target: object,
  current: (self: unknown) => object,
  isPromised: IsPromised = () => false,
): void {
  for (const [name, descriptor] of membersOf(source)) {
    if (name === 'constructor' || name === 'toJSON' || Object.hasOwn(target, name)) continue;
    Object.defineProperty(target, name, {
      configurable: true,
      enumerable: false,
      ...(typeof descriptor.value === 'function'
        ? method(name, current, isPromised)
        : accessor(name, descriptor, current)),
    });
  }
}

/** Also those that it inherits. */
function* membersOf(source: object): Generator<[string | symbol, PropertyDescriptor]> {
  let prototype: object | null = source;
  while (prototype !== null && prototype !== Object.prototype) {
    for (const name of Reflect.ownKeys(prototype)) {
      const isMember = typeof name === 'string' || name === Symbol.iterator;
      if (isMember) yield [name, Object.getOwnPropertyDescriptor(prototype, name)!];
    }
    prototype = Object.getPrototypeOf(prototype) as object | null;
  }
}

/** Looks the method up at each call, so that one that was replaced on the session itself is found. */
function method(
  name: string | symbol,
  current: (self: unknown) => object,
  isPromised: IsPromised,
): PropertyDescriptor {
  return {
    writable: true,
    value: function (this: unknown, ...given: unknown[]): unknown {
      let found: object;
      try {
        found = current(this);
      } catch (error) {
        if (!isPromised(name, given)) throw error;
        return Promise.reject(error);
      }
      return ((found as Members)[name] as (...given: unknown[]) => unknown).apply(found, given);
    },
  };
}

function accessor(
  name: string | symbol,
  source: PropertyDescriptor,
  current: (self: unknown) => object,
): PropertyDescriptor {
  return {
    get: function (this: unknown): unknown {
      return (current(this) as Members)[name];
    },
    ...(source.set !== undefined && {
      set: function (this: unknown, value: unknown): void {
        (current(this) as Members)[name] = value;
      },
    }),
  };
}
