/** Keeps Nest's ClassSerializerInterceptor from following the cycles of a graph of tracked objects, which it would never leave. */
import {
  type ClassSerializerContextOptions,
  ClassSerializerInterceptor,
  Inject,
  Injectable,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import { withoutCycles } from '../unit-of-work/index.js';
import { givenInterceptorsOf, singletonsOf } from './container.js';

type Serialize = ClassSerializerInterceptor['serialize'];

/**
 * Those of a controller or of a handler run inside the session's interceptor, and have the value before it; class-transformer
 * asks no object for its JSON. So each of them is given a `serialize` of its own: the method that Nest documents for being
 * overridden, and that subclasses override, has the value without cycles whatever the class does with it.
 */
@Injectable()
export class ClassSerializers implements OnModuleInit, OnApplicationShutdown {
  readonly #undo = new Map<ClassSerializerInterceptor, () => void>();

  constructor(
    @Inject(ModulesContainer) private readonly container: ModulesContainer,
    @Inject(ApplicationConfig) private readonly config: ApplicationConfig,
  ) {}

  /** Called by Nest. */
  onModuleInit(): void {
    const { container, config } = this;
    for (const found of [
      singletonsOf(container),
      givenInterceptorsOf(container),
      config.getGlobalInterceptors(),
    ]) {
      for (const one of found) {
        if (one instanceof ClassSerializerInterceptor && !this.#undo.has(one))
          this.#undo.set(one, cutBefore(one));
      }
    }
  }

  /** Called by Nest. */
  onApplicationShutdown(): void {
    for (const undo of this.#undo.values()) undo();
    this.#undo.clear();
  }
}

/** Returns what takes it back. */
function cutBefore(interceptor: ClassSerializerInterceptor): () => void {
  const before = Object.getOwnPropertyDescriptor(interceptor, 'serialize');
  // Whatever class it is of, and called on it.
  const serialize: Serialize = Reflect.get(interceptor, 'serialize');
  const value: Serialize = (response, options: ClassSerializerContextOptions) =>
    // The check is for what is not looked through: objects of the application's own classes, around tracked ones.
    serialize.call(interceptor, withoutCycles(response), { enableCircularCheck: true, ...options });
  Object.defineProperty(interceptor, 'serialize', { value, configurable: true, writable: true });
  return () => {
    // Somebody may have replaced it since, and have kept ours.
    if (interceptor.serialize !== value) return;
    if (before === undefined) delete (interceptor as Partial<ClassSerializerInterceptor>).serialize;
    else Object.defineProperty(interceptor, 'serialize', before);
  };
}
