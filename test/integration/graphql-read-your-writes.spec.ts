/** GraphQL operations of one client: what a mutation has written its next query reads, though the replica does not have it. */
import type { ExecutionContext } from '@nestjs/common';
import { GqlExecutionContext, Mutation, Query, Resolver } from '@nestjs/graphql';
import { ScopedSession, SessionOptions } from 'nestjs-scoped-session';
import { expect, it } from 'vitest';
import { onEach } from '../support/databases.js';
import { GRAPHQL_DRIVERS, type GraphQLApp, serveGraphQL } from '../support/graphql-app.js';
import { ON_PRIMARY, ON_REPLICA, useStaleReplica } from '../support/replicated.js';

@Resolver()
class TextsResolver {
  constructor(private readonly session: ScopedSession) {}

  @Query(() => [String])
  @SessionOptions({ readOnly: true })
  async texts(): Promise<string[]> {
    return this.session.scalars('SELECT text FROM note ORDER BY id');
  }

  @Mutation(() => Boolean)
  async add(): Promise<boolean> {
    await this.session.execute("INSERT INTO note (text) VALUES ('of Ada')");
    return true;
  }
}

interface Context {
  readonly req?: { readonly headers: Record<string, string | undefined> };
  readonly reply?: { readonly request: { readonly headers: Record<string, string | undefined> } };
}

const clientOf = (context: ExecutionContext): string | undefined => {
  const { req, reply } = GqlExecutionContext.create(context).getContext<Context>();
  return (req ?? reply!.request).headers['x-user'];
};

onEach(['mariadb'], (database) => {
  const replica = useStaleReplica(database);

  it.each(GRAPHQL_DRIVERS)('on %s', async (driver) => {
    const { http }: GraphQLApp = await serveGraphQL(database, driver, {
      providers: [TextsResolver],
      dataSource: { ...replica.options(), synchronize: false, dropSchema: false },
      session: { readYourWrites: { clientOf } },
    });
    const ask = async (query: string, user: string): Promise<unknown> =>
      (await http.post('/graphql').set('x-user', user).send({ query }).expect(200)).body as unknown;
    expect(await ask('{ texts }', 'Ada')).toEqual({ data: { texts: [ON_REPLICA] } });
    expect(await ask('mutation { add }', 'Ada')).toEqual({ data: { add: true } });
    expect(await ask('{ texts }', 'Ada')).toEqual({ data: { texts: [ON_PRIMARY, 'of Ada'] } });
    expect(await ask('{ texts }', 'Grace')).toEqual({ data: { texts: [ON_REPLICA] } });
  });
});
