/** Puts something around a method, and keeps what other decorators have said of it. */
import { isObservable, Observable } from 'rxjs';
import { InvalidOptionError } from '../errors.js';
import { observed } from './observed.js';

/** What the decorators of this library can be put on. */
export type DecoratableMethod = (...given: never[]) => Promise<unknown> | Observable<unknown>;

/** A decorator of such methods. */
export type SessionMethodDecorator = <Method extends DecoratableMethod>(
  target: object,
  name: string | symbol,
  descriptor: TypedPropertyDescriptor<Method>,
) => void;

/** One call of a decorated method. */
export interface MethodCall {
  readonly self: unknown;
  /** `Class.method`. */
  readonly label: string;
}

/** What is put around a method. */
export interface Around {
  /** The decorator, for messages. */
  readonly name: string;
  /** Whether the work may be run more than once. */
  readonly runsAgain: boolean;
  run<T>(call: MethodCall, work: () => Promise<T>): Promise<T>;
}

/** They return before they do anything. */
const GENERATORS: ReadonlySet<string> = new Set(['GeneratorFunction', 'AsyncGeneratorFunction']);

type AnyMethod = (this: unknown, ...given: unknown[]) => unknown;

export function aroundMethod(around: Around): SessionMethodDecorator {
  return (target, name, descriptor) => {
    // On a property there is no descriptor.
    const method = (descriptor as { value?: unknown } | undefined)?.value as AnyMethod | undefined;
    if (typeof method !== 'function') {
      throw new InvalidOptionError(`${around.name} is for methods; ${String(name)} is none.`);
    }
    if (GENERATORS.has(method.constructor.name)) {
      throw new InvalidOptionError(
        `${around.name} is for methods that return a promise or an Observable; ${String(name)} is a generator, whose body ` +
          'would run when the work has ended.',
      );
    }
    const callOf = (self: unknown): MethodCall => ({
      self,
      label: `${classNameOf(self, target)}.${String(name)}`,
    });
    // What a method returns must be known before it is called: a savepoint, for one, has to be there first.
    const wrapped = returnsObservable(target, name)
      ? observing(method, around, callOf)
      : awaiting(method, around, callOf);
    keepFace(method, wrapped);
    descriptor.value = wrapped as unknown as NonNullable<typeof descriptor.value>;
  };
}

type CallOf = (self: unknown) => MethodCall;

function awaiting(method: AnyMethod, around: Around, callOf: CallOf): AnyMethod {
  return function (this: unknown, ...given): Promise<unknown> {
    const call = callOf(this);
    return around.run(call, async () => refuseObservable(around, call, await method.apply(this, given)));
  };
}

function observing(method: AnyMethod, around: Around, callOf: CallOf): AnyMethod {
  return function (this: unknown, ...given): Observable<unknown> {
    const run = (work: () => Promise<void>): Promise<void> => around.run(callOf(this), work);
    return observed(run, () => method.apply(this, given) as Observable<unknown>, around.runsAgain);
  };
}

function classNameOf(self: unknown, target: object): string {
  const owner = (typeof self === 'object' && self !== null ? self.constructor : self) ?? target.constructor;
  return (owner as { name?: string }).name ?? target.constructor.name;
}

function returnsObservable(target: object, name: string | symbol): boolean {
  return Reflect.getMetadata('design:returntype', target, name) === Observable;
}

function refuseObservable<T>({ name }: Around, { label }: MethodCall, result: T): T {
  if (!isObservable(result)) return result;
  throw new InvalidOptionError(
    `${label} has ${name} and returned an Observable, but does not say so. Declare its return type ` +
      '(`: Observable<…>`, imported as a value and not as a type), or make it async.',
  );
}

/** Name, length, own properties and metadata: Nest and others read them from the function. */
function keepFace(method: AnyMethod, wrapped: AnyMethod): void {
  for (const [key, property] of Object.entries(Object.getOwnPropertyDescriptors(method))) {
    if (key !== 'prototype') Object.defineProperty(wrapped, key, property);
  }
  for (const key of Reflect.getOwnMetadataKeys(method) as unknown[]) {
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, method), wrapped);
  }
}
