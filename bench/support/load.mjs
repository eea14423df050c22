/** The load: a fixed number of kept-alive connections, each with one request on its way at any time. */
import { connect } from 'node:net';

const HEAD_END = '\r\n\r\n';
const LENGTH = /\r\ncontent-length: (\d+)\r\n/i;
const SUCCESS = /^HTTP\/1\.1 2/;

/** One connection. It reads just enough HTTP to know where an answer ends: the less the load costs, the less it distorts. */
export class Client {
  #received = '';
  #answered = () => undefined;
  #failed = () => undefined;

  constructor(socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    socket.on('data', (part) => this.#read(part));
    socket.on('error', (error) => this.#failed(error));
    socket.on('close', () => this.#failed(new Error('The server closed the connection.')));
  }

  static open(port) {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new Client(socket)));
      socket.once('error', reject);
    });
  }

  /** @returns {Promise<string>} the body; rejects for a status other than 2xx */
  ask(request) {
    return new Promise((resolve, reject) => {
      this.send(request, (head, body) =>
        SUCCESS.test(head) ? resolve(body) : reject(new Error(`${head.split('\r\n', 1)[0]} ${body}`)),
      );
      this.#failed = reject;
    });
  }

  /** Without a promise for each request. */
  send(request, answered) {
    this.#answered = answered;
    this.socket.write(request);
  }

  onFailure(failed) {
    this.#failed = failed;
  }

  close() {
    this.#failed = () => undefined;
    this.socket.destroy();
  }

  #read(part) {
    this.#received = this.#received === '' ? part : this.#received + part;
    const headLength = this.#received.indexOf(HEAD_END);
    if (headLength === -1) return;
    const start = headLength + HEAD_END.length;
    const head = this.#received.slice(0, headLength + 2);
    const end = start + Number(LENGTH.exec(head)?.[1] ?? 0);
    if (this.#received.length < end) return;
    const body = this.#received.slice(start, end);
    this.#received = '';
    this.#answered(head, body);
  }
}

/** A request as it goes over the wire. */
export function request(method, path) {
  const length = method === 'GET' ? '' : 'Content-Length: 0\r\n';
  return `${method} ${path} HTTP/1.1\r\nHost: bench\r\n${length}\r\n`;
}

/**
 * @param {readonly Client[]} clients
 * @param {readonly (readonly string[])[]} requests - what each client sends in turn; nobody shares a row with another
 * @param {number} durationMs
 * @returns {Promise<{ answers: number, failures: number, seconds: number }>}
 */
export async function load(clients, requests, durationMs) {
  const begun = performance.now();
  const until = begun + durationMs;
  let answers = 0;
  let failures = 0;
  const all = clients.map(
    (client, number) =>
      new Promise((resolve, reject) => {
        const own = requests[number];
        let next = 0;
        const answered = (head) => {
          answers += 1;
          if (!SUCCESS.test(head)) failures += 1;
          if (performance.now() < until) send();
          else resolve();
        };
        const send = () => client.send(own[next++ % own.length], answered);
        client.onFailure(reject);
        send();
      }),
  );
  await Promise.all(all);
  return { answers, failures, seconds: (performance.now() - begun) / 1000 };
}
