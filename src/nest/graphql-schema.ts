/** Has the resolvers of a schema run inside the operation that calls them, whatever calls the operation. */
import type { FieldResolver, GraphQLField, GraphQLInfo, GraphQLSchema } from './graphql-shapes.js';

/** Runs `work` for the operation that has this context. */
export type RunResolver = (context: unknown, info: GraphQLInfo, work: () => unknown) => unknown;

/** The input types have fields too, and no resolvers; the names of introspection begin with this. */
const INTROSPECTION = '__';

/**
 * Puts `run` around the resolvers that the fields of `schema` have; what is returned takes it off again. A field without
 * one reads a property, and does nothing that needs a unit of work.
 */
export function runResolversIn(run: RunResolver, schema: GraphQLSchema): () => void {
  const undo = [...fieldsOf(schema)].map((field) => wrap(field, run));
  return () => undo.forEach((one) => one());
}

/** A subscription's own resolvers belong to no operation that ends; those of what it sends are shared with the others. */
function* fieldsOf(schema: GraphQLSchema): Generator<GraphQLField> {
  const subscription = schema.getSubscriptionType();
  for (const type of Object.values(schema.getTypeMap())) {
    if (type === subscription || type.name.startsWith(INTROSPECTION)) continue;
    if (type.getFields !== undefined) yield* Object.values(type.getFields());
  }
}

function wrap(field: GraphQLField, run: RunResolver): () => void {
  const { resolve } = field;
  if (resolve === undefined) return () => undefined;
  const inOperation: FieldResolver = function (source, args, context, info) {
    return run(context, info, () => resolve.call(this, source, args, context, info));
  };
  field.resolve = inOperation;
  return () => {
    // Whoever came later keeps what it has put around.
    if (field.resolve === inOperation) field.resolve = resolve;
  };
}
