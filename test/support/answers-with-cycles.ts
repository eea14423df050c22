/** Answers whose tracked objects lead to each other, and what a client is to see of them. */
import { Get } from '@nestjs/common';
import { Exclude, Expose, Transform } from 'class-transformer';
import { Session } from 'nestjs-scoped-session';
import { from, type Observable } from 'rxjs';
import { IDENTITY, IdentityMap, type IdentityRunner, trackingBuilder } from '../../src/unit-of-work/index.js';
import { Book, Writer } from './bookshop.js';

Exclude()(Writer.prototype, 'version');
Expose({ name: 'label' })(Book.prototype, 'title');
Transform(({ value }: { value: Date }) => value.getUTCFullYear())(Book.prototype, 'printed');

/** Writer 1 with their books, each of which leads back to the writer. */
export async function loadWriter({ queryRunner, dataSource }: Session): Promise<Writer> {
  const runner: IdentityRunner = queryRunner;
  runner[IDENTITY] ??= new IdentityMap();
  return trackingBuilder(dataSource.createQueryBuilder(Writer, 'writer', runner))
    .innerJoinAndSelect('writer.books', 'book')
    .innerJoinAndSelect('book.writer', 'same')
    .where('writer.id = 1 AND book.id < 3')
    .orderBy('book.id')
    .getOneOrFail();
}

class BookAnswer {
  readonly kind = 'book';
  constructor(readonly book: Book) {}
}

export abstract class Answers {
  @Get('writer')
  writer(@Session() session: Session): Promise<Writer> {
    return loadWriter(session);
  }

  @Get('books')
  books(@Session() session: Session): Observable<Book[]> {
    return from(loadWriter(session).then(({ books }) => books));
  }

  @Get('page')
  async page(@Session() session: Session): Promise<object> {
    return { items: (await loadWriter(session)).books, total: 2 };
  }

  @Get('own-class')
  async ownClass(@Session() session: Session): Promise<BookAnswer> {
    return new BookAnswer((await loadWriter(session)).books[0]!);
  }
}

const writer = { id: 1, name: 'ann', nick: null, loads: 1 };
/** What a book has besides what it leads to. */
const book = (id: number, named: object): object => ({
  ...named,
  id,
  notes: { pages: id * 10 },
  writerId: 1,
  genreNames: id === 1 ? [] : ['crime'],
});
const plain = (id: number): object => book(id, { title: `book ${id}`, printed: '2020-02-02T00:00:00.000Z' });
const decorated = (id: number): object => book(id, { label: `book ${id}`, printed: 2020 });

/** What each route answers; `of` is a book's columns, `ann` a writer's. */
const answers = (of: (id: number) => object, ann: object): Record<string, unknown> => {
  const first = { ...of(1), writer: { ...ann, books: [of(2)] } };
  const books = [first, { ...of(2), writer: { ...ann, books: [of(1)] } }];
  return {
    writer: { ...ann, books: [of(1), of(2)] },
    books,
    page: { items: books, total: 2 },
    'own-class': { kind: 'book', book: first },
  };
};
export const PLAIN = answers(plain, { ...writer, version: 1 });
export const SERIALIZED = answers(decorated, writer);
