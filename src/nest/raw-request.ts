/** Node's own request, which Fastify keeps inside its own. */
export function rawRequestOf<Request extends object | undefined>(request: Request): object | Request {
  return (request as { raw?: object } | undefined)?.raw ?? request;
}
