/** What `save` and `remove` of TypeORM's managers mean in a session that tracks objects. */
import { type DataSource, type EntityMetadata, EntitySchema } from 'typeorm';
import type { Persistence } from '../engine/index.js';
import { GivenObjects, tellMade } from '../unit-of-work/index.js';
import type { Tracking } from './tracking.js';

export function persist<T>(
  tracking: Tracking | undefined,
  asked: Persistence,
  plain: () => Promise<T>,
): Promise<T> {
  // A subscriber's own: the flush that it is told of is not over.
  if (tracking === undefined || tracking.isFlushing) return plain();
  return persistTracked(tracking, asked, plain);
}

async function persistTracked<T>(
  tracking: Tracking,
  { method, given }: Persistence,
  plain: () => Promise<T>,
): Promise<T> {
  const request = tracking.tracksEverything ? requestOf(given, tracking.work.dataSource) : undefined;
  // Before TypeORM looks at them: what is new would be stored twice, by it and by the flush before its first statement.
  if (tracking.isConcernedBy()) await tracking.flush();
  if (request !== undefined && method === 'save') return (await save(tracking, request)) as T;
  if (request !== undefined && method === 'remove') {
    await remove(tracking, request);
    return request.entities as T;
  }
  return plain();
}

/** Objects of mapped classes, and no options that only TypeORM knows. */
interface Request {
  /** As it was given: one object, or several. */
  readonly entities: unknown;
  readonly objects: readonly (readonly [object, EntityMetadata])[];
}

function requestOf(given: readonly unknown[], dataSource: DataSource): Request | undefined {
  const [first] = given;
  const hasTarget =
    given.length > 1 &&
    (typeof first === 'function' || typeof first === 'string' || first instanceof EntitySchema);
  const [entities, options] = hasTarget ? given.slice(1) : given;
  if (options !== undefined && options !== null && !isPlainOptions(options)) return undefined;
  const objects: [object, EntityMetadata][] = [];
  for (const one of (Array.isArray(entities) ? entities : [entities]) as unknown[]) {
    if (typeof one !== 'object' || one === null) return undefined;
    const target = (hasTarget ? first : one.constructor) as string | (new () => object);
    if (!dataSource.hasMetadata(target)) return undefined;
    const metadata = dataSource.getMetadata(target);
    if (typeof metadata.target !== 'function') return undefined;
    objects.push([one, metadata]);
  }
  return objects.length === 0 ? undefined : { entities, objects };
}

/** Whom listeners are told of, and with what, is TypeORM's own. */
function isPlainOptions(options: object): boolean {
  const { data, listeners } = options as { data?: unknown; listeners?: boolean };
  return data === undefined && listeners !== false;
}

async function save(tracking: Tracking, { entities, objects }: Request): Promise<unknown> {
  const given = new GivenObjects(tracking.touch(), tracking.manager);
  const stored = await tracking.withoutAutoflush(async () => {
    const taken: object[] = [];
    // One after the other: several may stand for one row. oxlint-disable-next-line no-await-in-loop
    for (const [object, metadata] of objects) taken.push(await given.take(object, metadata));
    return taken;
  });
  await tracking.flush();
  for (const [place, [object, metadata]] of objects.entries()) tellMade(object, stored[place]!, metadata);
  return Array.isArray(entities) ? stored : stored[0];
}

/** As with TypeORM, what has no row any more is no error. */
async function remove(tracking: Tracking, { objects }: Request): Promise<void> {
  const work = tracking.touch();
  const given = new GivenObjects(work, tracking.manager);
  await tracking.withoutAutoflush(async () => {
    for (const [object, metadata] of objects) {
      // On one connection. oxlint-disable-next-line no-await-in-loop
      const found = await given.find(object, metadata);
      if (found !== undefined) work.delete(found);
    }
  });
  await tracking.flush();
}
