/** PostgreSQL's cancel request: who knows a connection's secret key may end its statement, through proxies too. */
import { connect } from 'node:net';

const CANCEL_REQUEST = 80_877_102;
const LENGTH = 16;
/** What a cancel may take; the server answers by closing the connection. */
const CANCEL_TIMEOUT_MS = 2_000;

/** The parts of pg's client that tell what runs where. */
export interface CancellableClient {
  readonly host: string;
  readonly port: number;
  readonly processID?: number | null;
  readonly secretKey?: unknown;
}

/** Returns at once; where it cannot be done the connection is closed all the same. */
export function cancelStatement({ host, port, processID, secretKey }: CancellableClient): void {
  if (typeof processID !== 'number' || typeof secretKey !== 'number') return;
  const request = Buffer.alloc(LENGTH);
  [LENGTH, CANCEL_REQUEST, processID, secretKey].forEach((word, place) =>
    request.writeInt32BE(word, place * 4),
  );
  const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
  socket.on('error', () => undefined);
  socket.setTimeout(CANCEL_TIMEOUT_MS, () => socket.destroy());
  socket.end(request);
}
