/** Values of every type come back as they were sent, alone and many in one statement. */
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import { catalogue, flushing, make } from '../support/flushing.js';

@Entity()
class MariaValues {
  @PrimaryColumn({ type: 'bigint' })
  id!: string;

  @Column({ type: 'bigint' })
  big!: string;

  @Column({ type: 'decimal', precision: 20, scale: 4 })
  exact!: string;

  @Column({ type: 'json' })
  json!: object;

  @Column({ type: 'datetime', precision: 3 })
  at!: Date;

  @Column({ type: 'date' })
  day!: string;

  @Column({ type: 'blob' })
  bytes!: Buffer;

  @Column({ type: 'enum', enum: ['a', 'b', 'c'] })
  choice!: string;

  @Column({ type: 'boolean' })
  isTrue!: boolean;

  @Column({ type: 'double' })
  real!: number;

  @Column({ type: 'simple-array' })
  list!: string[];

  @Column({ type: 'text', nullable: true })
  text!: string | null;
}

@Entity()
class PostgresValues {
  @PrimaryColumn({ type: 'uuid' })
  id!: string;

  @Column({ type: 'bigint' })
  big!: string;

  @Column({ type: 'numeric', precision: 20, scale: 4 })
  exact!: string;

  @Column({ type: 'jsonb' })
  json!: object;

  @Column({ type: 'timestamptz' })
  at!: Date;

  @Column({ type: 'date' })
  day!: string;

  @Column({ type: 'bytea' })
  bytes!: Buffer;

  @Column({ type: 'enum', enum: ['a', 'b', 'c'] })
  choice!: string;

  @Column({ type: 'boolean' })
  isTrue!: boolean;

  @Column({ type: 'double precision' })
  real!: number;

  @Column({ type: 'simple-array' })
  list!: string[];

  @Column({ type: 'int', array: true })
  numbers!: number[];

  @Column({ type: 'text', nullable: true })
  text!: string | null;
}

/** Differ from each other where a number of JavaScript would not. */
const BIG = ['9007199254740993', '9007199254740992', '9007199254740994'];

const values = (place: number) => ({
  big: BIG[place]!,
  exact: `${place + 1}234567890123.4567`,
  json: { place, 'a "quoted" name': [null, true] },
  at: new Date(1_700_000_000_123 + place),
  day: `2024-02-0${place + 1}`,
  bytes: Buffer.from([0, 255, place]),
  choice: 'abc'[place]!,
  isTrue: place === 1,
  real: place + 0.1,
  list: ['x', String(place)],
  text: place === 2 ? null : `it's ${place}`,
});

const CASES = [
  ['mariadb', MariaValues, BIG, {}],
  [
    'postgres',
    PostgresValues,
    BIG.map((_, place) => `00000000-0000-4000-8000-00000000000${place}`),
    { numbers: [1, 2] },
  ],
] as const;

for (const [kind, type, keys, more] of CASES) {
  onEach([kind], (database) => {
    const dataSource = catalogue(database, { entities: [type], subscribers: [] });

    it.each([
      [1, 1],
      // Of three booleans that move on by one place, one stays what it was: its row has other columns.
      [3, 2],
    ])('%d of them with %d statements', (count, statements) =>
      flushing(dataSource(), async ({ runner, add, flush, sent }) => {
        const rows = keys
          .slice(0, count)
          .map((id, place) => make<object>(type, { id, ...values(place), ...more }));
        add(...rows);
        await flush();
        expect(await runner.manager.find<object>(type, { order: { id: 'ASC' } })).toEqual(byKey(rows));
        for (const [place, row] of rows.entries()) Object.assign(row, values((place + 1) % 3));
        sent();
        await flush();
        expect(sent()).toHaveLength(statements);
        expect(await runner.manager.find<object>(type, { order: { id: 'ASC' } })).toEqual(byKey(rows));
        sent();
        await flush();
        expect(sent()).toEqual([]);
      }),
    );
  });
}

function byKey(rows: object[]): object[] {
  const key = (row: object): string => (row as { id: string }).id;
  return rows.toSorted((one, other) => (key(one) < key(other) ? -1 : 1));
}
