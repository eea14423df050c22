/** A GraphQL application on Apollo Server or Mercurius, over real HTTP, with resolvers that a test can look into. */
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import type { ModuleMetadata } from '@nestjs/common';
import { GraphQLModule } from '@nestjs/graphql';
import { MercuriusDriver, type MercuriusDriverConfig } from '@nestjs/mercurius';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ScopedSessionModule, type ScopedSessionModuleOptions } from 'nestjs-scoped-session';
import { DataSource } from 'typeorm';
import { serve, type Served, withNotes } from './boot.js';
import type { TestDatabase } from './databases.js';
import { Note } from './note.js';

export const GRAPHQL_DRIVERS = ['apollo', 'mercurius'] as const;
export type GraphQLDriver = (typeof GRAPHQL_DRIVERS)[number];

export interface GraphQLAnswer<Data = Record<string, unknown>> {
  readonly data?: Data | null;
  readonly errors?: readonly {
    readonly message: string;
    readonly path?: readonly (string | number)[];
    readonly extensions?: { readonly code?: string };
  }[];
}

export interface GraphQLApp extends Served {
  /** Sends one operation; the status is 200 unless told otherwise. */
  ask(query: string, variables?: object): Promise<GraphQLAnswer>;
  askAll(...queries: readonly string[]): Promise<GraphQLAnswer[]>;
  /** What is stored: asked from outside where that is possible. */
  texts(): Promise<string[]>;
  readonly dataSource: DataSource;
}

export interface GraphQLAppOptions extends Pick<ModuleMetadata, 'providers' | 'imports' | 'controllers'> {
  readonly session?: ScopedSessionModuleOptions;
  /** For the driver's own `forRoot()`. */
  readonly apollo?: Partial<ApolloDriverConfig>;
  readonly mercurius?: Partial<MercuriusDriverConfig>;
  readonly dataSource?: Record<string, unknown>;
}

function graphqlModule(driver: GraphQLDriver, { apollo, mercurius }: GraphQLAppOptions) {
  const both = { autoSchemaFile: true, path: '/graphql' };
  if (driver === 'apollo') {
    return GraphQLModule.forRoot<ApolloDriverConfig>({
      driver: ApolloDriver,
      ...both,
      graphiql: false,
      allowBatchedHttpRequests: true,
      ...apollo,
    });
  }
  return GraphQLModule.forRoot<MercuriusDriverConfig>({
    driver: MercuriusDriver,
    ...both,
    graphiql: false,
    allowBatchedQueries: true,
    ...mercurius,
  });
}

export async function serveGraphQL(
  database: TestDatabase,
  driver: GraphQLDriver,
  options: GraphQLAppOptions,
): Promise<GraphQLApp> {
  const { providers = [], imports = [], controllers = [], session, dataSource = {} } = options;
  const served = await serve(
    database,
    {
      imports: [
        TypeOrmModule.forRoot(withNotes(database, dataSource)),
        TypeOrmModule.forFeature([Note]),
        ScopedSessionModule.forRoot(session),
        graphqlModule(driver, options),
        ...imports,
      ],
      controllers,
      providers,
    },
    driver === 'apollo' ? 'express' : 'fastify',
  );
  const source = served.app.get(DataSource);
  const sql = 'SELECT text FROM note ORDER BY id';
  return {
    ...served,
    dataSource: source,
    ask: async (query, variables) => {
      const { body } = await served.http.post('/graphql').send({ query, variables });
      return body as GraphQLAnswer;
    },
    askAll: async (...queries) => {
      const { body } = await served.http.post('/graphql').send(queries.map((query) => ({ query })));
      return body as GraphQLAnswer[];
    },
    texts: async () => {
      const rows: { text: string }[] =
        database.kind === 'sqljs' ? await source.query(sql) : await database.ask(sql);
      return rows.map(({ text }) => text);
    },
  };
}
