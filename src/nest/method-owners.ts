/** Finds the application that an object with decorated methods belongs to: decorators run before there is one. */
import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { UnboundSessionError } from '../errors.js';
import { currentScope } from '../scope/index.js';
import type { ScopedSession } from '../session/index.js';
import { singletonsOf } from './container.js';
import { Databases } from './databases.js';

/** The scoped sessions of whoever owns an object, by name. */
export interface SessionsByName {
  /** Opens units of work of all of them. */
  readonly main: { readonly scoped: ScopedSession };
  get(name: string): { readonly scoped: ScopedSession };
}

const OF_OBJECTS = new WeakMap<object, SessionsByName>();
/** Of objects that are made later, by their classes; several applications may have the same one. */
const OF_CLASSES = new WeakMap<object, Set<Databases>>();

/** Says whose `object` is. */
export function own(object: object, sessions: SessionsByName): void {
  OF_OBJECTS.set(object, sessions);
}

/**
 * @param object - the one whose decorated method was called
 * @param what - the method, for the message
 * @throws `SS_ERR_UNBOUND_SESSION` where no application is known
 */
export function ownerOf(object: unknown, what: string): SessionsByName {
  const owner = knownOwnerOf(object) ?? ownerOfScope() ?? onlyOwnerOfClass(object);
  if (owner !== undefined) return owner;
  throw new UnboundSessionError(
    `${what} was called on an object of which no application is known: it is no provider of an application that imports ` +
      'ScopedSessionModule.forRoot(), or its class is in several of them. Provide it in a module; in a unit test, use ' +
      'useSession(object, scopedSession) of nestjs-scoped-session/testing.',
  );
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

function knownOwnerOf(object: unknown): SessionsByName | undefined {
  return isObject(object) ? OF_OBJECTS.get(object) : undefined;
}

function ownerOfScope(): SessionsByName | undefined {
  const owner = currentScope()?.owner;
  return owner instanceof Databases ? owner : undefined;
}

function onlyOwnerOfClass(object: unknown): SessionsByName | undefined {
  if (!isObject(object)) return undefined;
  const owners = OF_CLASSES.get(typeof object === 'function' ? object : object.constructor);
  return owners?.size === 1 ? [...owners][0] : undefined;
}

/** Tells what belongs to one application; forgotten when it shuts down. */
@Injectable()
export class MethodOwners implements OnModuleInit, OnApplicationShutdown {
  constructor(
    @Inject(ModulesContainer) private readonly container: ModulesContainer,
    @Inject(Databases) private readonly databases: Databases,
  ) {
    // Constructors and hooks of providers may call already.
    for (const owned of this.#classes()) {
      const owners = OF_CLASSES.get(owned) ?? new Set();
      OF_CLASSES.set(owned, owners.add(databases));
    }
  }

  /** Called by Nest. */
  onModuleInit(): void {
    for (const instance of singletonsOf(this.container))
      if (isObject(instance)) own(instance, this.databases);
  }

  /** Called by Nest. */
  onApplicationShutdown(): void {
    for (const owned of this.#classes()) OF_CLASSES.get(owned)?.delete(this.databases);
  }

  *#classes(): Generator<object> {
    for (const { providers, controllers, injectables } of this.container.values()) {
      for (const { metatype } of [...providers.values(), ...controllers.values(), ...injectables.values()])
        if (typeof metatype === 'function') yield metatype;
    }
  }
}
