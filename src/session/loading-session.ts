/** The part of a session that loads objects; what it loads is tracked. */
import type { EntityManager, EntityMetadata, EntityTarget, ObjectLiteral } from 'typeorm';
import type { FindManyOptions, FindOneOptions, FindOptionsWhere } from 'typeorm';
import { NoResultFoundError } from '../errors.js';
import {
  expire,
  expireMembers,
  forgetGone,
  identify,
  isOf,
  loaded,
  membersNamed,
  refresh,
  selectRow,
} from '../unit-of-work/index.js';
import { bindingOf, promised, togetherOf, transactionOf, unitOfWorkOf } from './session-core.js';
import { getOptions, refreshOptions } from './object-options.js';
import type { GetOptions, Identifier, RowLock, SessionQuery } from './session-objects-api.js';
import { TrackingSession } from './tracking-session.js';

type Where<E extends ObjectLiteral> = FindOptionsWhere<E> | FindOptionsWhere<E>[];

export class LoadingSession extends TrackingSession {
  get<E extends ObjectLiteral>(
    target: EntityTarget<E>,
    identifier: Identifier,
    given?: GetOptions<E>,
  ): Promise<E | null> {
    return promised(this, async () => {
      const options = getOptions(given);
      const metadata = metadataOf(this, target);
      const identity = identify(metadata, identifier);
      const transaction = transactionOf(this);
      transaction.refuseAfterEnd();
      if (!transaction.tracks)
        return (await selectRow(managerOf(this), metadata, identity, options)) as E | null;
      const work = unitOfWorkOf(this);
      const mustAsk = options.lock !== undefined || options.populateExisting === true;
      // A new object may be about to get this row.
      const isPending = work.map.get(metadata, identity.key)?.state === 'pending';
      if (isPending && transaction.tracking.isConcernedBy()) await transaction.tracking.flush();
      const known = mustAsk ? undefined : loaded(work, metadata, identity);
      const found = known ?? (await selectRow(managerOf(this), metadata, identity, options));
      if (found === null) forgetGone(work, metadata, identity);
      return found !== null && isOf(metadata, found) ? (found as E) : null;
    });
  }

  async getOrFail<E extends ObjectLiteral>(
    target: EntityTarget<E>,
    identifier: Identifier,
    options?: GetOptions<E>,
  ): Promise<E> {
    const found = await this.get(target, identifier, options);
    if (found !== null) return found;
    throw new NoResultFoundError(`No ${metadataOf(this, target).name} was found when one was required.`);
  }

  find<E extends ObjectLiteral>(target: EntityTarget<E>, options?: FindManyOptions<E>): Promise<E[]> {
    return promised(this, async () => managerOf(this).find(target, options));
  }

  findBy<E extends ObjectLiteral>(target: EntityTarget<E>, where: Where<E>): Promise<E[]> {
    return promised(this, async () => managerOf(this).findBy(target, where));
  }

  findOne<E extends ObjectLiteral>(target: EntityTarget<E>, options: FindOneOptions<E>): Promise<E | null> {
    return promised(this, async () => managerOf(this).findOne(target, options));
  }

  findOneBy<E extends ObjectLiteral>(target: EntityTarget<E>, where: Where<E>): Promise<E | null> {
    return promised(this, async () => managerOf(this).findOneBy(target, where));
  }

  count<E extends ObjectLiteral>(target: EntityTarget<E>, options?: FindManyOptions<E>): Promise<number> {
    return promised(this, async () => managerOf(this).count(target, options));
  }

  exists<E extends ObjectLiteral>(target: EntityTarget<E>, options?: FindManyOptions<E>): Promise<boolean> {
    return promised(this, async () => managerOf(this).exists(target, options));
  }

  refresh(
    entity: object,
    properties?: readonly string[],
    options?: { readonly lock?: RowLock },
  ): Promise<void> {
    return promised(this, async () => {
      const { lock } = refreshOptions(options);
      const tracked = unitOfWorkOf(this).persistent(entity);
      // Refused before the object's changes are given up.
      transactionOf(this).tracking.touch();
      await refresh(managerOf(this), tracked, properties, lock);
    });
  }

  expire(entity: object, properties?: readonly string[]): void {
    const tracked = unitOfWorkOf(this).persistent(entity);
    if (properties === undefined) return expire(tracked);
    const { columns, relations } = membersNamed(tracked.shape.metadata, properties);
    expireMembers(tracked, columns, relations);
  }

  expireAll(): void {
    for (const session of togetherOf(this)) unitOfWorkOf(session).expireAll();
  }
}

/** A builder over a class, whose objects are tracked unless the session tracks nothing. */
export function queryOf<E extends ObjectLiteral>(
  session: LoadingSession,
  target: EntityTarget<E>,
  alias: string | undefined,
): SessionQuery<E> {
  const { name } = metadataOf(session, target);
  return managerOf(session).createQueryBuilder(target, alias ?? name) as SessionQuery<E>;
}

function metadataOf(session: LoadingSession, target: EntityTarget<ObjectLiteral>): EntityMetadata {
  return bindingOf(session).engine.dataSource.getMetadata(target);
}

function managerOf(session: LoadingSession): EntityManager {
  const transaction = transactionOf(session);
  return transaction.tracks ? transaction.tracking.manager : transaction.manager;
}
