/** Node's own request, which Fastify keeps inside its own. */
export function rawRequestOf(request: { readonly raw?: object }): object {
  return request.raw ?? request;
}
