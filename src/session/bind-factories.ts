/** The factories of the databases that sessions reach besides their own. */
import { Engine, engineOf } from '../engine/index.js';
import { InvalidOptionError } from '../errors.js';
import { isFactory } from './bind-options.js';
import type { BoundFactory, ReachedDatabase } from './bound-factory.js';
import type { FactorySettings, SessionFactoryOptions } from './factory-options.js';

/** @param make - makes a factory that has the options of the one whose binds these are */
export function bindsWith(
  settings: FactorySettings,
  make: (engine: Engine, options: SessionFactoryOptions) => BoundFactory,
): readonly ReachedDatabase[] | undefined {
  const { binds, name: own = 'default' } = settings;
  if (binds === undefined) return undefined;
  const options = Object.fromEntries(Object.entries(settings).filter(([option]) => !OF_ONE.has(option)));
  return Object.entries(binds).map(([name, { target, entities = [] }]) => {
    if (name === own)
      throw new InvalidOptionError(`The bind "${name}" has the name of the factory's own database.`);
    if (isFactory(target)) return { name, factory: target, entities };
    const engine = target instanceof Engine ? target : engineOf(target);
    return { name, factory: make(engine, { ...options, name }), entities };
  });
}

/** What the factory's own database has for itself. */
const OF_ONE: ReadonlySet<string> = new Set(['binds', 'dataSource', 'name', 'info', 'label']);
