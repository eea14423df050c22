/** Lets tracked objects follow what TypeORM wrote past them: what is known is taken over, the rest is asked for at once. */
import type { EntityManager, EntityMetadata, ObjectLiteral } from 'typeorm';
import type { BroadcasterResult } from 'typeorm/subscriber/BroadcasterResult.js';
import { bringUpToDate } from './bring-up-to-date.js';
import { shapeOf } from './entity-shape.js';
import { leadingThrough, ofClass, ofRow, type Outdated, referringTo } from './outdated.js';
import { takeIn, takeOut, takeOver } from './taken-over.js';
import { makeTransient } from './undo-frames.js';
import type { UnitOfWork } from './unit-of-work.js';
import { hasUpsert, keysIn, SentWrites } from './sent-writes.js';
import type { Written } from './written.js';

/** The session whose objects follow. */
export interface Follower {
  readonly work: UnitOfWork;
  /** Loads objects that are tracked. */
  readonly manager: EntityManager;
  /** A flush writes: it knows what it does. */
  readonly isFlushing: boolean;
  /** What `fn` asks does not flush first. */
  withoutAutoflush<T>(fn: () => T): T;
}

/** What is collected while one write is told of. */
interface Telling {
  readonly outdated: Outdated;
  statements: ReturnType<SentWrites['take']> | undefined;
}

export class FollowedWrites {
  readonly #sent = new SentWrites();
  /** New objects of the session that TypeORM is storing itself: a flush must not store them once more. */
  readonly #inserting = new WeakSet<object>();
  readonly #tellings = new WeakMap<BroadcasterResult, Telling>();

  constructor(private readonly follower: Follower) {}

  /** Of all statements, and not yet answered. */
  sent(sql: string, parameters: unknown): void {
    this.#sent.note(sql, parameters);
  }

  isAboutToInsert(entity: ObjectLiteral): void {
    const { isFlushing, work } = this.follower;
    const tracked = isFlushing ? undefined : work.map.of(entity);
    if (tracked?.state !== 'pending') return;
    makeTransient(work.map, tracked);
    this.#inserting.add(entity);
  }

  /** @param result - whoever wrote waits for its promises */
  follow(result: BroadcasterResult, written: Written): void {
    const { isFlushing, work } = this.follower;
    if (isFlushing) return;
    const { entity, isOfBuilder, metadata } = written;
    if (entity !== undefined && this.#inserting.delete(entity)) return takeIn(work, entity, isOfBuilder);
    const telling = this.#tellingOf(result);
    const found = metadata.isJunction
      ? leadingThrough(work.map, metadata)
      : isOfBuilder
        ? this.#writtenByBuilder(written, telling)
        : this.#persisted(written);
    if (found.size === 0) return;
    const isFirst = telling.outdated.size === 0;
    for (const [tracked, relations] of found)
      telling.outdated.set(tracked, [...(telling.outdated.get(tracked) ?? []), ...relations]);
    if (isFirst) result.promises.push(this.#catchUp(telling));
  }

  /** Takes over what is known; returns what has to be asked for. */
  #persisted({ databaseEntity, entity, identifier, kind, metadata }: Written): Outdated {
    const { work } = this.follower;
    const itself = entity === undefined ? undefined : work.map.of(entity);
    // TypeORM has taken the key away from what it removed.
    const key = itself?.key ?? keyOfOne([entity, databaseEntity, identifier], metadata);
    if (key === undefined) return ofClass(work.map, metadata);
    const known = work.map.get(metadata, key);
    if (kind !== 'remove') {
      if (itself?.state !== 'persistent') return ofRow(work.map, metadata, key);
      takeOver(work, itself);
    } else if (known?.state === 'persistent') takeOut(work, [known]);
    else return referringTo(work.map, metadata, key);
    return new Map();
  }

  #writtenByBuilder({ kind, metadata }: Written, telling: Telling): Outdated {
    const { map } = this.follower.work;
    const statements = (telling.statements ??= this.#sent.take(metadata));
    // New rows are nobody's.
    if (kind === 'insert' && statements.length > 0 && !hasUpsert(statements)) return new Map();
    const keys = kind === 'insert' ? undefined : keysIn(statements, metadata);
    const rows = ofClass(map, metadata, keys);
    return kind === 'remove' ? new Map([...referringTo(map, metadata), ...rows]) : rows;
  }

  async #catchUp({ outdated }: Telling): Promise<void> {
    // One write is told of many times, at once.
    await Promise.resolve();
    const { follower } = this;
    await follower.withoutAutoflush(() => bringUpToDate(follower.work, follower.manager, outdated));
  }

  #tellingOf(result: BroadcasterResult): Telling {
    let telling = this.#tellings.get(result);
    if (telling === undefined)
      this.#tellings.set(result, (telling = { outdated: new Map(), statements: undefined }));
    return telling;
  }
}

function keyOfOne(candidates: readonly unknown[], metadata: EntityMetadata): string | undefined {
  const shape = shapeOf(metadata);
  for (const one of candidates) {
    const key = typeof one === 'object' && one !== null ? shape.keyOf(one) : undefined;
    if (key !== undefined) return key;
  }
  return undefined;
}
