/** The parts of GraphQL's objects that are looked at here; their packages are the application's, and never imported. */

/** An error of a response, before or after it was made plain. */
export interface GraphQLFailure {
  readonly message: string;
  readonly path?: readonly (string | number)[] | undefined;
  readonly extensions?: Readonly<Record<string, unknown>> | undefined;
  readonly originalError?: unknown;
}

/** What an operation answers with. */
export interface GraphQLResult {
  data?: unknown;
  errors?: readonly GraphQLFailure[] | undefined;
}

/** Where a field stands in the response; `prev` is where its object does. */
export interface GraphQLPath {
  readonly key: string | number;
  readonly prev: GraphQLPath | undefined;
}

export interface GraphQLInfo {
  readonly path: GraphQLPath;
  /** The one that was chosen of the document's. */
  readonly operation: { readonly operation: string };
}

export type FieldResolver = (
  this: unknown,
  source: unknown,
  args: unknown,
  context: unknown,
  info: GraphQLInfo,
) => unknown;

export interface GraphQLField {
  resolve?: FieldResolver | undefined;
}

export interface GraphQLSchema {
  getTypeMap(): Readonly<
    Record<string, { readonly name: string; getFields?(): Readonly<Record<string, GraphQLField>> }>
  >;
  getSubscriptionType(): unknown;
}
