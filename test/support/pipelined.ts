/** Requests that are all sent over one connection before the first is answered, and what comes back. */
import { connect } from 'node:net';

export interface PipelinedAnswer {
  readonly status: number;
  readonly body: string;
}

/**
 * Sends all `paths` at once, and tells of each answer as soon as it is complete; the answers have a Content-Length.
 *
 * @param answered - called in the order of the answers
 */
export async function pipelined(
  url: string,
  paths: readonly string[],
  answered: (answer: PipelinedAnswer, index: number) => void,
): Promise<void> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.setEncoding('latin1');
  socket.write(
    paths.map((path) => `POST ${path} HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n`).join(''),
  );
  let rest = '';
  let index = 0;
  for await (const piece of socket) {
    rest += piece as string;
    for (let answer = firstOf(rest); answer !== undefined; answer = firstOf(rest)) {
      rest = rest.slice(answer.length);
      answered(answer, index);
      index += 1;
    }
    if (index === paths.length) break;
  }
  socket.destroy();
}

function firstOf(text: string): (PipelinedAnswer & { readonly length: number }) | undefined {
  const head = /^HTTP\/1\.1 (\d+)[^]*?\r\n\r\n/.exec(text);
  if (head === null) return undefined;
  const size = Number(/content-length: (\d+)/i.exec(head[0])?.[1] ?? 0);
  const length = head[0].length + size;
  if (text.length < length) return undefined;
  return { status: Number(head[1]), body: text.slice(head[0].length, length), length };
}
