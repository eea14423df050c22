/** Chooses the next operation of a random sequence by chance, out of what there is. */
import type { Edit, NewThing } from './sequence-edits.js';
import { type KindOfThing, KINDS_OF_THINGS, SHAPES } from './sequence-entities.js';
import type { Model } from './sequence-model.js';
import type { Thing } from './sequence-thing.js';
import type { Operation, Query } from './sequence-operations.js';
import type { SeededRandom } from './seeded-random.js';

const WORDS = ['x', 'y', 'z'] as const;

/** How often each comes, in proportion. */
const WEIGHTS = {
  add: 16,
  'add again': 5,
  change: 16,
  'change and back': 1,
  point: 7,
  'put in': 6,
  'move in': 9,
  'take out': 6,
  delete: 6,
  replace: 2,
  rekey: 3,
  flush: 9,
  query: 16,
  both: 3,
  expire: 3,
  merge: 4,
  savepoint: 4,
  'end savepoint': 5,
  block: 5,
  commit: 5,
  rollback: 3,
  close: 3,
} as const;
type Choice = keyof typeof WEIGHTS;
const CHOICES = Object.entries(WEIGHTS).flatMap(([choice, weight]) =>
  Array<Choice>(weight).fill(choice as Choice),
);
const NOT_IN_BLOCKS: readonly Choice[] = ['savepoint', 'end savepoint', 'commit', 'rollback', 'close'];

export class SequenceGenerator {
  #count = 0;

  constructor(
    private readonly random: SeededRandom,
    private readonly model: Model,
  ) {}

  next(depth = 0): Operation {
    for (;;) {
      const choice = this.#of(CHOICES)!;
      if (depth > 0 && NOT_IN_BLOCKS.includes(choice)) continue;
      const operation = this.#make(choice, depth);
      if (operation !== undefined) return operation;
    }
  }

  #make(choice: Choice, depth: number): Operation | undefined {
    switch (choice) {
      case 'add':
        return { do: 'add', thing: this.#new() };
      case 'add again':
        return this.#with(this.#thing(['transient', 'detached']), ({ name }) => ({
          do: choice,
          name,
          keepsKey: this.random.chance(0.5),
        }));
      case 'change':
      case 'change and back':
        return this.#with(this.#thing(), (thing) => this.#change(choice, thing));
      case 'rekey':
        return this.#with(this.#thing(['persistent'], 'tag'), ({ name }) => ({
          do: 'change',
          name,
          column: 'code',
          value: this.#word('t'),
        }));
      case 'query':
        return this.#query();
      case 'both': {
        const [one, other] = [this.#query(), this.#query()];
        return one && other && { do: 'both', queries: [one, other] };
      }
      case 'expire':
        return this.#with(this.#thing(), ({ name }) => ({ do: choice, name }));
      case 'merge':
        return this.#with(this.#thing(['persistent', 'detached']), (thing) => this.#merge(thing));
      case 'end savepoint': {
        if (this.model.savepoints === 0) return undefined;
        const savepoint = this.random.between(0, this.model.savepoints - 1);
        return { do: this.random.chance(0.5) ? 'release' : 'roll back to', savepoint };
      }
      case 'block': {
        if (depth > 1) return undefined;
        const operations = Array.from({ length: this.random.between(1, 5) }, () => this.next(depth + 1));
        return { do: choice, operations, throws: this.random.chance(0.4) };
      }
      case 'close':
        return { do: choice, isFresh: this.random.chance(0.5) };
      case 'flush':
      case 'savepoint':
      case 'commit':
      case 'rollback':
        return { do: choice };
      default:
        return this.#edit(choice);
    }
  }

  #edit(choice: 'point' | 'put in' | 'move in' | 'take out' | 'delete' | 'replace'): Edit | undefined {
    if (choice === 'delete')
      return this.#with(this.#thing(['persistent']), ({ name }) => ({ do: choice, name }));
    if (choice === 'replace') {
      return this.#with(this.#thing(['persistent'], 'tag'), ({ name, row }) => ({
        do: choice,
        name,
        by: { name: this.#name('tag'), kind: 'tag', columns: { code: row!, label: this.#of(WORDS)! } },
      }));
    }
    if (choice === 'point') {
      const thing = this.#thing(undefined, this.random.chance(0.6) ? 'post' : 'remark');
      const end = this.#of(Object.keys(SHAPES[thing?.kind ?? 'remark'].ends))!;
      const to = this.#thing(undefined, SHAPES[thing?.kind ?? 'remark'].ends[end]!.to);
      if (thing === undefined || to === undefined) return undefined;
      return { do: choice, name: thing.name, end, to: this.random.chance(0.8) ? to.name : null };
    }
    const owner = this.#thing(undefined, this.random.chance(0.5) ? 'author' : 'post');
    if (owner === undefined) return undefined;
    const list = this.#of(Object.keys(SHAPES[owner.kind].lists))!;
    const { of } = SHAPES[owner.kind].lists[list]!;
    if (choice === 'put in') return { do: choice, owner: owner.name, list, thing: this.#new(of, false) };
    const inside = owner.memory.lists[list];
    const name = choice === 'take out' ? this.#of(inside ?? []) : this.#thing(undefined, of)?.name;
    return name === undefined ? undefined : { do: choice, owner: owner.name, list, name };
  }

  #change(choice: 'change' | 'change and back', { name, kind }: Thing): Operation {
    const columns = SHAPES[kind].columns.filter((column) => column !== 'version');
    const column = this.#of(columns)!;
    const value = this.#of(WORDS)!;
    if (choice === 'change and back') return { do: choice, name, column, value };
    const isEmpty = (column === 'nick' || column === 'note') && this.random.chance(0.4);
    return { do: choice, name, column, value: isEmpty ? null : column === 'nick' ? this.#word('n') : value };
  }

  #merge(thing: Thing): Operation {
    const { name, kind, state } = thing;
    if (state === 'detached' && this.random.chance(0.7)) return { do: 'merge', name };
    const column = SHAPES[kind].columns[0]!;
    return { do: 'merge plain', name, column, value: this.#of(WORDS)! };
  }

  #query(): Query | undefined {
    const kind = this.#of(KINDS_OF_THINGS)!;
    const { columns, ends, lists } = SHAPES[kind];
    const what = this.#of([
      'find',
      'find',
      'find',
      'find by',
      'count',
      'posts of',
      'get',
      'refresh',
      'refresh',
    ] as const)!;
    switch (what) {
      case 'find': {
        const all = [...Object.keys(ends), ...Object.keys(lists)];
        return { do: what, kind, relations: all.filter(() => this.random.chance(0.5)) };
      }
      case 'find by':
        return { do: what, kind, column: columns[0]!, value: this.#of(WORDS)! };
      case 'count':
        return { do: what, kind };
      case 'posts of':
        return this.#with(this.#thing(['persistent'], 'author'), ({ name }) => ({ do: what, author: name }));
      default:
        return this.#with(this.#thing(['persistent']), ({ name }) => ({ do: what, name }));
    }
  }

  #new(kind: KindOfThing = this.#of(KINDS_OF_THINGS)!, hasEnds = true): NewThing {
    const name = this.#name(kind);
    const word = this.#of(WORDS)!;
    if (kind === 'tag') return { name, kind, columns: { code: this.#word('t'), label: word } };
    if (kind === 'remark') {
      const post = this.#thing(undefined, 'post')?.name ?? null;
      return { name, kind, columns: { text: word }, ...(hasEnds && { ends: { post } }) };
    }
    if (kind === 'post') {
      const author = this.#thing(undefined, 'author')?.name ?? null;
      const editor = this.random.chance(0.5) ? (this.#thing(undefined, 'author')?.name ?? null) : null;
      const note = this.random.chance(0.5) ? word : null;
      const lists: NewThing['lists'] = this.random.chance(0.6)
        ? { remarks: this.#some('remark'), tags: this.#some('tag') }
        : {};
      return {
        name,
        kind,
        columns: { title: word, note },
        ends: hasEnds ? { author, editor } : { editor: null },
        lists,
      };
    }
    const lists: NewThing['lists'] = this.random.chance(0.7) ? { posts: this.#some('post') } : {};
    const nick = this.random.chance(0.5) ? this.#word('n') : null;
    return { name, kind, columns: { name: word, nick }, lists };
  }

  #some(kind: KindOfThing): NewThing[] {
    return Array.from({ length: this.random.between(0, 2) }, () => this.#new(kind, false));
  }

  #name(kind: KindOfThing): string {
    return `${kind}${(this.#count += 1)}`;
  }

  /** Few enough to meet again. */
  #word(letter: string): string {
    return `${letter}${this.random.between(1, 6)}`;
  }

  #thing(
    states: readonly Thing['state'][] = ['pending', 'persistent'],
    kind?: KindOfThing,
  ): Thing | undefined {
    return this.#of(
      [...this.model.things.values()].filter(
        (thing) => states.includes(thing.state) && (kind === undefined || thing.kind === kind),
      ),
    );
  }

  #of<T>(items: readonly T[]): T | undefined {
    return items.length === 0 ? undefined : items[this.random.between(0, items.length - 1)];
  }

  #with<T, R>(value: T | undefined, make: (value: T) => R): R | undefined {
    return value === undefined ? undefined : make(value);
  }
}
