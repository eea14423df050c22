/** Options of resolvers hold for their whole operation, and an operation inside another unit of work takes part in it. */
import { Controller, HttpException, Injectable, Module, Post } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { AbstractGraphQLDriver, Int, Mutation, Query, Resolver } from '@nestjs/graphql';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { ScopedSession, SessionOptions } from 'nestjs-scoped-session';
import { Repository } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import { GRAPHQL_DRIVERS, type GraphQLApp, serveGraphQL } from '../support/graphql-app.js';
import { Note } from '../support/note.js';
import { StatementRecorder } from '../support/statement-recorder.js';

@Resolver()
class LevelResolver {
  constructor(
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    private readonly session: ScopedSession,
  ) {}

  async #count(): Promise<number> {
    return this.session.count(Note);
  }

  @Query(() => Int, { nullable: true })
  async plain(): Promise<number> {
    return this.#count();
  }

  @Query(() => Int, { nullable: true })
  @SessionOptions({ isolation: 'SERIALIZABLE' })
  async serializable(): Promise<number> {
    return this.#count();
  }

  @Query(() => Int, { nullable: true })
  @SessionOptions({ isolation: 'READ UNCOMMITTED' })
  async readUncommitted(): Promise<number> {
    return this.#count();
  }

  @Mutation(() => Int, { nullable: true })
  async adds(): Promise<number> {
    await this.notes.insert({ text: 'added' });
    return this.#count();
  }

  @Mutation(() => Int, { nullable: true })
  @SessionOptions({ isolation: 'SERIALIZABLE' })
  async addsSerializable(): Promise<number> {
    return this.adds();
  }

  @Mutation(() => Int, { nullable: true })
  @SessionOptions({ readOnly: true })
  async addsReadOnly(): Promise<number> {
    return this.adds();
  }

  @Query(() => Boolean)
  @SessionOptions({ enabled: false })
  async outside(): Promise<boolean> {
    return this.session.registry.has();
  }
}

@Module({ imports: [TypeOrmModule.forFeature([Note])], providers: [LevelResolver] })
class LevelModule {}

/** Runs operations without HTTP, each driver in its own way. */
@Injectable()
class Callable {
  constructor(private readonly moduleRef: ModuleRef) {}

  async run(query: string): Promise<unknown> {
    const { instance } = this.moduleRef.get<{ instance: Instance }>(AbstractGraphQLDriver, { strict: false });
    if (instance.graphql !== undefined) return (await instance.graphql(query)).data['adds'];
    const { body } = await instance.executeOperation!({ query });
    return body.singleResult.data['adds'];
  }
}

interface Executed {
  readonly data: Record<string, unknown>;
}

interface Instance {
  graphql?(query: string): Promise<Executed>;
  executeOperation?(operation: { query: string }): Promise<{ body: { singleResult: Executed } }>;
}

/** Runs an operation inside a handler's own unit of work, as an application that calls itself. */
@Controller()
class CallingController {
  constructor(
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    private readonly drivers: Callable,
  ) {}

  @Post('calls')
  async calls(): Promise<never> {
    await this.notes.insert({ text: 'by the handler' });
    const counted = await this.drivers.run('mutation { adds }');
    throw new HttpException({ counted }, 400);
  }
}

const ACROSS = 'another field of the same operation';

onEach(['mariadb', 'sqljs'], (database) => {
  describe.each(GRAPHQL_DRIVERS)('%s', (driver) => {
    const start = (more: object = {}): Promise<GraphQLApp> =>
      serveGraphQL(database, driver, { providers: [LevelResolver], ...more });

    it('one field sets the level of the whole operation, before its first statement', async () => {
      const recorder = new StatementRecorder();
      const { ask } = await start({ dataSource: { logger: recorder } });
      recorder.take();
      expect(await ask('{ serializable again: serializable }')).toEqual({
        data: { serializable: 0, again: 0 },
      });
      const levels = recorder.take().filter(({ sql }) => /SERIALIZABLE/.test(sql));
      expect(levels).toHaveLength(database.kind === 'mariadb' ? 1 : 0);
    });

    it('fields that ask for different levels are refused, whichever comes first', async () => {
      const { ask } = await start();
      for (const query of ['{ serializable readUncommitted }', '{ readUncommitted serializable }']) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        const { errors } = await ask(query);
        expect(errors).toHaveLength(1);
        expect(errors![0]!.message).toContain(ACROSS);
      }
    });

    it('a level that comes too late is refused, and the mutation rolled back', async () => {
      const { ask, texts } = await start({ session: { isolation: 'READ UNCOMMITTED' } });
      const { data, errors } = await ask('mutation { adds addsSerializable }');
      expect(data).toBeNull();
      expect(errors).toMatchObject([
        { message: expect.stringContaining('was asked for inside one with'), path: ['addsSerializable'] },
        { path: ['adds'], extensions: { code: 'SS_ERR_ROLLED_BACK' } },
      ]);
      expect(await texts()).toEqual([]);
    });

    it('a field that is read only makes its operation so', async () => {
      const { ask, texts } = await start();
      const { data, errors } = await ask('mutation { addsReadOnly }');
      expect(data).toBeNull();
      expect(errors).toHaveLength(1);
      expect(await texts()).toEqual([]);
    });

    it('a GraphQL module that looks into some modules only is served too', async () => {
      const include = { include: [LevelModule] };
      const { ask, texts } = await start({
        providers: [],
        imports: [LevelModule],
        apollo: include,
        mercurius: include,
      });
      expect(await ask('mutation { adds }')).toEqual({ data: { adds: 1 } });
      expect(await texts()).toEqual(['added']);
    });

    it('a field with enabled: false is outside', async () => {
      const { ask } = await start();
      expect(await ask('{ outside plain }')).toEqual({ data: { outside: false, plain: 0 } });
    });

    it('an operation that a handler runs takes part in its unit of work', async () => {
      const { http, texts } = await start({
        providers: [LevelResolver, Callable],
        controllers: [CallingController],
      });
      const { body } = await http.post('/calls').expect(400);
      expect(body).toEqual({ counted: 2 });
      expect(await texts()).toEqual([]);
    });

    it('an operation that no request asks for is a unit of work of its own', async () => {
      const { app, texts, liveScopes } = await start({ providers: [LevelResolver, Callable] });
      expect(await app.get(Callable).run('mutation { adds }')).toBe(1);
      expect(await texts()).toEqual(['added']);
      expect(liveScopes()).toBe(0);
    });
  });
});
