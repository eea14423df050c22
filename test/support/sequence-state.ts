/** The session that a sequence works on, and the model beside it. */
import type { NestedTransaction, SessionBase, SessionFactory } from 'nestjs-scoped-session';
import type { DataSource, ObjectLiteral } from 'typeorm';
import { Comparison } from './sequence-comparison.js';
import { Model } from './sequence-model.js';
import type { Thing } from './sequence-thing.js';

/** What the sequences of one database share. */
export interface SequenceDatabase {
  readonly dataSource: DataSource;
  readonly factory: SessionFactory;
  /** How many statements have written rows until now. */
  writes(): number;
}

export class SequenceState {
  readonly model = new Model();
  readonly comparison = new Comparison(this.model);
  session: SessionBase;
  handles: NestedTransaction[] = [];
  /** How many blocks it is inside of. */
  blocks = 0;

  constructor(
    readonly database: SequenceDatabase,
    readonly expires: boolean,
  ) {
    this.session = this.open();
  }

  open(): SessionBase {
    return this.database.factory.create({ expireOnCommit: this.expires });
  }

  object({ name }: Thing): ObjectLiteral {
    return this.comparison.object(name);
  }

  persistent(name: string): Thing | undefined {
    const thing = this.model.things.get(name);
    return thing?.state === 'persistent' && !thing.isMarked ? thing : undefined;
  }
}
