/** An entity with listeners and a subscriber. */
import {
  AfterInsert,
  BeforeInsert,
  BeforeUpdate,
  Column,
  Entity,
  type EntitySubscriberInterface,
  EventSubscriber,
  PrimaryGeneratedColumn,
  type RemoveEvent,
  type UpdateEvent,
  VersionColumn,
} from 'typeorm';

const text = { type: 'varchar', length: 50 } as const;

/** Has listeners, and a subscriber. */
@Entity()
export class Account {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column(text)
  owner!: string;

  @Column({ type: 'int' })
  balance!: number;

  @Column({ ...text, nullable: true })
  note!: string | null;

  @VersionColumn()
  version!: number;

  heard: string[] = [];

  @BeforeInsert()
  beforeInsert(): void {
    this.heard.push('before insert');
    this.note = 'new';
  }

  @AfterInsert()
  afterInsert(): void {
    this.heard.push(`after insert ${typeof this.id}`);
  }

  @BeforeUpdate()
  beforeUpdate(): void {
    this.heard.push('before update');
    this.note = 'changed';
  }
}

@EventSubscriber()
export class AccountSubscriber implements EntitySubscriberInterface<Account> {
  readonly events: string[] = [];

  listenTo(): typeof Account {
    return Account;
  }

  afterUpdate({ updatedColumns }: UpdateEvent<Account>): void {
    this.events.push(`updated ${updatedColumns.map(({ propertyName }) => propertyName).join(', ')}`);
  }

  beforeRemove({ databaseEntity }: RemoveEvent<Account>): void {
    this.events.push(`removes ${databaseEntity?.owner}`);
  }
}
