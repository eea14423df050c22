/** Hears of everything that TypeORM itself writes on a session's runner, and lets the tracked objects follow. */
import type { EntityMetadata, ObjectLiteral, QueryRunner } from 'typeorm';
import { Broadcaster } from 'typeorm/subscriber/Broadcaster.js';
import type { BroadcasterResult } from 'typeorm/subscriber/BroadcasterResult.js';
import type { FollowedWrites } from './followed-writes.js';
import type { WriteKind } from './written.js';

type Told<Event extends keyof Broadcaster> = Broadcaster[Event] extends (...given: infer Given) => unknown
  ? Given
  : never;
type ToldOfWrite = [
  BroadcasterResult,
  EntityMetadata,
  ObjectLiteral | undefined,
  ObjectLiteral | undefined,
  unknown,
];

/** A query builder tells the class and what it was given; TypeORM's persistence tells more, even where it is undefined. */
const MOST_OF_A_BUILDER = 3;

/** The objects follow before subscribers are told: what those change then is a change. */
export class FollowingBroadcaster extends Broadcaster {
  readonly #writes: FollowedWrites;

  constructor(runner: QueryRunner, writes: FollowedWrites) {
    super(runner);
    this.#writes = writes;
  }

  override broadcastBeforeInsertEvent(...given: Told<'broadcastBeforeInsertEvent'>): void {
    const [, , entity] = given;
    if (entity !== undefined) this.#writes.isAboutToInsert(entity);
    super.broadcastBeforeInsertEvent(...given);
  }

  override broadcastAfterInsertEvent(...given: Told<'broadcastAfterInsertEvent'>): void {
    const [result, metadata, entity, identifier] = given;
    this.#follow('insert', given.length, [result, metadata, entity, undefined, identifier]);
    super.broadcastAfterInsertEvent(...given);
  }

  override broadcastAfterUpdateEvent(...given: Told<'broadcastAfterUpdateEvent'>): void {
    const [result, metadata, entity, databaseEntity] = given;
    this.#follow('update', given.length, [result, metadata, entity, databaseEntity, undefined]);
    super.broadcastAfterUpdateEvent(...given);
  }

  override broadcastAfterRemoveEvent(...given: Told<'broadcastAfterRemoveEvent'>): void {
    this.#follow('remove', given.length, given as unknown as ToldOfWrite);
    super.broadcastAfterRemoveEvent(...given);
  }

  override broadcastAfterSoftRemoveEvent(...given: Told<'broadcastAfterSoftRemoveEvent'>): void {
    this.#follow('update', given.length, given as unknown as ToldOfWrite);
    super.broadcastAfterSoftRemoveEvent(...given);
  }

  override broadcastAfterRecoverEvent(...given: Told<'broadcastAfterRecoverEvent'>): void {
    this.#follow('update', given.length, given as unknown as ToldOfWrite);
    super.broadcastAfterRecoverEvent(...given);
  }

  #follow(
    kind: WriteKind,
    count: number,
    [result, metadata, entity, databaseEntity, identifier]: ToldOfWrite,
  ): void {
    const isOfBuilder = count <= MOST_OF_A_BUILDER;
    this.#writes.follow(result, { kind, metadata, entity, databaseEntity, identifier, isOfBuilder });
  }
}
