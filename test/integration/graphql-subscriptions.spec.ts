/** A GraphQL subscription is no unit of work: a session there is refused with the cure, and what it opens itself ends. */
import {
  Context,
  Field,
  Int,
  Mutation,
  ObjectType,
  Query,
  ResolveField,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import { InjectRepository } from '@nestjs/typeorm';
import { ScopedSession } from 'nestjs-scoped-session';
import { Repository } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { onEach } from '../support/databases.js';
import { type GraphQLAnswer, type GraphQLApp, serveGraphQL } from '../support/graphql-app.js';
import { Note } from '../support/note.js';
import { signal, waitUntil } from '../support/wait-until.js';

interface PubSub {
  subscribe(topic: string): Promise<AsyncIterator<unknown>>;
  publish(event: { topic: string; payload: object }): void;
}

let subscribed = signal();

@ObjectType()
class Event {
  @Field(() => Int)
  number!: number;
}

@Resolver(() => Event)
class EventsResolver {
  constructor(
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    private readonly session: ScopedSession,
  ) {}

  @Query(() => String)
  nothing(): string {
    return 'nothing';
  }

  @Mutation(() => Boolean)
  emit(@Context('pubsub') pubsub: PubSub): boolean {
    pubsub.publish({ topic: 'events', payload: { events: { number: 7 } } });
    return true;
  }

  @Mutation(() => Int)
  async add(): Promise<number> {
    await this.notes.insert({ text: 'by the mutation' });
    return this.session.count(Note);
  }

  @Mutation(() => Int, { nullable: true })
  async addAndFail(): Promise<never> {
    await this.notes.insert({ text: 'by the mutation that fails' });
    throw new Error('It has failed.');
  }

  @Subscription(() => Event)
  async events(@Context('pubsub') pubsub: PubSub): Promise<AsyncIterator<unknown>> {
    const events = await pubsub.subscribe('events');
    subscribed.resolve();
    return events;
  }

  @Subscription(() => Event)
  async usesSession(@Context('pubsub') pubsub: PubSub): Promise<AsyncIterator<unknown>> {
    await this.session.scalar('SELECT 1');
    return pubsub.subscribe('events');
  }

  @ResolveField(() => Int)
  async bySession(): Promise<number> {
    return this.session.count(Note);
  }

  @ResolveField(() => Int)
  async byRepository(): Promise<number> {
    return this.notes.count();
  }

  @ResolveField(() => Int)
  async byItself(): Promise<number> {
    return this.session.run(async (session) => session.count(Note));
  }
}

interface Message {
  readonly id?: string;
  readonly type: string;
  readonly payload?: GraphQLAnswer | readonly { readonly message: string }[];
}

/** Speaks graphql-transport-ws, as graphql-ws does. */
async function connect({ url }: GraphQLApp) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const messages: Message[] = [];
  socket.on('message', (data: Buffer) => messages.push(JSON.parse(data.toString()) as Message));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const told = async (what: (message: Message) => boolean): Promise<Message> => {
    await waitUntil('the server has told it', () => messages.some(what));
    return messages.find(what)!;
  };
  const send = (message: object): void => socket.send(JSON.stringify(message));
  send({ type: 'connection_init' });
  await told(({ type }) => type === 'connection_ack');
  return {
    subscribe: (id: string, query: string): void => send({ id, type: 'subscribe', payload: { query } }),
    next: async (id: string) => (await told((one) => one.id === id && one.type !== 'complete')).payload,
    close: async (): Promise<void> => {
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.close();
      await closed;
    },
  };
}

onEach(['mariadb', 'sqljs'], (database) => {
  describe('mercurius', () => {
    beforeEach(() => {
      subscribed = signal();
    });
    const start = (): Promise<GraphQLApp> =>
      serveGraphQL(database, 'mercurius', {
        providers: [EventsResolver],
        mercurius: { subscription: { fullWsTransport: true } },
      });

    it('a connection that stays open is no unit of work, and holds no shutdown up', async () => {
      const app = await start();
      const client = await connect(app);
      expect(app.liveScopes()).toBe(0);
      await client.close();
    });

    it('what the events show may be asked for in a unit of work of its own, or by a repository', async () => {
      const app = await start();
      const client = await connect(app);
      client.subscribe('s', 'subscription { events { number byItself byRepository } }');
      await app.dataSource.getRepository(Note).insert({ text: 'one' });
      await subscribed.promise;
      await app.ask('mutation { emit }');
      expect(await client.next('s')).toEqual({
        data: { events: { number: 7, byItself: 1, byRepository: 1 } },
      });
      await client.close();
    });

    it('a session in what the events show is refused, and says what to use instead', async () => {
      const app = await start();
      const client = await connect(app);
      client.subscribe('s', 'subscription { events { bySession } }');
      await subscribed.promise;
      await app.ask('mutation { emit }');
      const answer = (await client.next('s')) as GraphQLAnswer;
      expect(answer.errors?.[0]?.message).toContain('scopedSession.run(fn)');
      await client.close();
    });

    it('so it is in the resolver that subscribes', async () => {
      const app = await start();
      const client = await connect(app);
      client.subscribe('s', 'subscription { usesSession { number } }');
      const [error] = (await client.next('s')) as readonly { readonly message: string }[];
      expect(error?.message).toContain('scopedSession.run(fn)');
      await client.close();
    });

    it('queries and mutations over the same connection are units of work like any other', async () => {
      const app = await start();
      const client = await connect(app);
      client.subscribe('m', 'mutation { add }');
      expect(await client.next('m')).toEqual({ data: { add: 1 } });
      client.subscribe('f', 'mutation { __typename addAndFail }');
      expect(await client.next('f')).toMatchObject({ data: null, errors: [{ path: ['addAndFail'] }] });
      expect(await app.texts()).toEqual(['by the mutation']);
      expect(app.liveScopes()).toBe(0);
      await client.close();
    });
  });
});
