/** F83: an application that is made and closed a thousand times leaves nothing behind. */
import { TypeOrmModule } from '@nestjs/typeorm';
import { NestFactory } from '@nestjs/core';
import { Injectable, Module } from '@nestjs/common';
import { ScopedSession, ScopedSessionModule, Transactional } from 'nestjs-scoped-session';
import { it } from 'vitest';
import { Note } from '../support/note.js';
import { soak } from '../support/soak.js';
import { waitUntil } from '../support/wait-until.js';

@Injectable()
class Notes {
  constructor(private readonly session: ScopedSession) {}

  @Transactional()
  async add(text: string): Promise<void> {
    await this.session.execute('INSERT INTO note (text) VALUES (:text)', { text });
  }
}

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'sqljs', entities: [Note], synchronize: true }),
    ScopedSessionModule.forRoot(),
  ],
  providers: [Notes],
})
class AppModule {}

it('F83: no heap, listener, timer or handle', { timeout: 600_000 }, () =>
  soak({
    title: 'applications',
    rounds: 10,
    times: 100,
    one: async (number) => {
      const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
      await app.get(Notes).add(`of ${number}`);
      await app.close();
    },
    // Of the last applications, for some milliseconds.
    rest: () => waitUntil('no timer is left', () => !process.getActiveResourcesInfo().includes('Timeout')),
    emitters: () => [],
  }),
);
