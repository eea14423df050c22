/** What units of work ask of a response, under Express and under Fastify. */

/** The response of Node itself. */
export interface RawHttpResponse {
  readonly headersSent: boolean;
  readonly destroyed: boolean;
  once(event: 'close', listener: () => void): unknown;
  destroy(): unknown;
}

/** An object with getters instead would be a class of its own for V8, and outlive its request by a major collection. */
export interface HttpResponse {
  readonly statusCode: number;
  /** Fastify keeps the status on its reply, and the rest on the raw response. */
  readonly raw?: RawHttpResponse;
  getHeader(name: string): unknown;
}

export function rawResponseOf(response: HttpResponse): RawHttpResponse {
  return response.raw ?? (response as unknown as RawHttpResponse);
}

/** Bytes that the body has by its header. */
export function announcedLength(response: HttpResponse | undefined): number | undefined {
  const length = response?.getHeader('content-length');
  return length === undefined ? undefined : Number(length);
}
