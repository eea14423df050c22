/** F83: applications that come and go on one DataSource, as a hot reload makes them, leave it as it was. */
import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { ScopedSession, ScopedSessionModule, Transactional } from 'nestjs-scoped-session';
import { DataSource, Repository } from 'typeorm';
import { expect, it } from 'vitest';
import { boot } from '../support/boot.js';
import { onEach } from '../support/databases.js';
import { Note } from '../support/note.js';
import { plainDataSource, texts } from '../support/plain-and-ours.js';

@Injectable()
class Notes {
  constructor(
    private readonly session: ScopedSession,
    @InjectRepository(Note) private readonly notes: Repository<Note>,
  ) {}

  @Transactional()
  async add(text: string): Promise<void> {
    await this.notes.insert({ text });
    if ((await this.session.scalar('SELECT COUNT(*) FROM note')) === 0) throw new Error('It has not joined.');
  }
}

const faceOf = (object: object): unknown => Object.getOwnPropertyDescriptors(object);

onEach(['mariadb', 'postgres', 'sqljs'], (database) => {
  it('F83: a DataSource that was adopted a hundred times is the one that it was', async () => {
    const dataSource = await plainDataSource(database);
    database.watch({ dataSource, close: () => dataSource.destroy() });
    const before = { dataSource: faceOf(dataSource), driver: faceOf(dataSource.driver) };
    const listeners = process.eventNames().map((name) => [name, process.listenerCount(name)]);
    for (let time = 0; time < 100; time += 1) {
      // One after the other, as reloads come. oxlint-disable-next-line no-await-in-loop
      const { app, close } = await boot(database, {
        imports: [ScopedSessionModule.forRoot({ dataSource }), ScopedSessionModule.forFeature([Note])],
        providers: [Notes],
      });
      // oxlint-disable-next-line no-await-in-loop
      await app.get(Notes).add(`time ${time}`);
      // oxlint-disable-next-line no-await-in-loop
      await close();
    }
    expect(await texts(dataSource)).toHaveLength(100);
    expect({ dataSource: faceOf(dataSource), driver: faceOf(dataSource.driver) }).toEqual(before);
    expect(process.eventNames().map((name) => [name, process.listenerCount(name)])).toEqual(listeners);
    expect(dataSource).toBeInstanceOf(DataSource);
  });
});
