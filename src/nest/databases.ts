/** The databases of one application, by name, and what its units of work have in common. */
import { Injectable } from '@nestjs/common';
import { DuplicateSessionNameError, InvalidOptionError } from '../errors.js';
import type { ReachedDatabase, ScopedSession } from '../session/index.js';
import {
  type ScopedSessionModuleOptions,
  UNIT_OF_WORK_DEFAULTS,
  UNIT_OF_WORK_RULES,
  type UnitOfWorkOptions,
} from './module-options.js';
import { DEFAULT_NAME } from './tokens.js';

/** One database as `forRoot(name)` has set it up. */
export interface Database {
  readonly name: string;
  readonly scoped: ScopedSession;
}

/** What is left out means something by itself. */
type Optional = 'rollbackOn' | 'readYourWrites' | 'backgroundConcurrency' | 'onBackgroundError';
export type UnitOfWorkSettings = UnitOfWorkOptions & Required<Omit<UnitOfWorkOptions, Optional>>;

@Injectable()
export class Databases {
  readonly #byName = new Map<string, Database | undefined>();
  readonly #scoped: ScopedSession[] = [];
  #binds: readonly ReachedDatabase[] = [];
  #settings: UnitOfWorkSettings = UNIT_OF_WORK_DEFAULTS;
  readonly #setBy = new Map<string, string>();

  /** What every unit of work of the application does. */
  get settings(): UnitOfWorkSettings {
    return this.#settings;
  }

  /** In the order of their `forRoot()`, which is the order of their commits, whichever of them was there first. */
  get scoped(): readonly ScopedSession[] {
    return this.#scoped;
  }

  /** The same as its sessions reach them. */
  get binds(): readonly ReachedDatabase[] {
    return this.#binds;
  }

  /** Those that are set up. */
  get all(): readonly Database[] {
    return [...this.#byName.values()].filter((one) => one !== undefined);
  }

  /** The default one, or else the first. */
  get main(): Database {
    const main = this.#byName.get(DEFAULT_NAME) ?? this.all[0];
    return main ?? this.get(DEFAULT_NAME);
  }

  /** Takes a name, before anything is opened for it. Throws `SS_ERR_DUPLICATE_SESSION_NAME`. */
  reserve(name: string): void {
    if (this.#byName.has(name)) {
      throw new DuplicateSessionNameError(
        `ScopedSessionModule.forRoot() is imported twice for the database "${name}". Import it once, at the root; give ` +
          'another database another name.',
      );
    }
    this.#byName.set(name, undefined);
  }

  add(database: Database, options: ScopedSessionModuleOptions): void {
    this.#byName.set(database.name, database);
    this.#scoped.splice(0, Infinity, ...this.all.map(({ scoped }) => scoped));
    this.#binds = this.all.map(({ name, scoped: { registry, sessionFactory } }) => {
      return { name, registry, factory: sessionFactory, entities: [] };
    });
    for (const key of Object.keys(UNIT_OF_WORK_RULES) as (keyof UnitOfWorkOptions)[]) {
      if (options[key] === undefined) continue;
      const other = this.#setBy.get(key);
      if (other !== undefined) {
        throw new InvalidOptionError(
          `The option ${key} is of the whole unit of work, and both forRoot() of "${other}" and of "${database.name}" set it.`,
        );
      }
      this.#setBy.set(key, database.name);
      this.#settings = { ...this.#settings, [key]: options[key] };
    }
  }

  get(name: string): Database {
    const database = this.#byName.get(name);
    if (database !== undefined) return database;
    const known = [...this.#byName.keys()].join(', ') || 'none';
    throw new InvalidOptionError(`No forRoot() has set up a database named "${name}"; there are: ${known}.`);
  }
}
