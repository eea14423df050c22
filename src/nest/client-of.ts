/** For whom a handler works: what a client has written, its next requests read on the primary. */
import type { ExecutionContext } from '@nestjs/common';
import { callable, integer, readOptions, type Rule, type Rules } from '../engine/index.js';
import { InvalidOptionError } from '../errors.js';
import type { Scope } from '../scope/index.js';
import { CLIENT_FOR_MS } from '../session/index.js';

/** How clients are told apart whose `readOnly` requests are to read what they wrote a moment ago. */
export interface ReadYourWritesOptions {
  /**
   * A short name of the client that a handler works for, such as the id of its user; `undefined` for nobody. Guards have run.
   */
  readonly clientOf: (context: ExecutionContext) => string | undefined;
  /** Milliseconds that a client is remembered after a COMMIT that wrote, 1 and up. Default 5 000. */
  readonly forMs?: number;
}

const READ_YOUR_WRITES_RULES: Rules<ReadYourWritesOptions> = {
  clientOf: callable<ReadYourWritesOptions['clientOf']>(),
  forMs: integer(1),
};

/** The rule of the option `readYourWrites`. */
export const readYourWritesRule: Rule<ReadYourWritesOptions> = (value, name) => {
  const { clientOf, ...rest } = readOptions('readYourWrites', value, READ_YOUR_WRITES_RULES);
  if (clientOf !== undefined) return Object.freeze({ clientOf, ...rest });
  throw new InvalidOptionError(`${name} must say clientOf: a function that names the client of a request.`);
};

/** Tells the unit of work whom it is done for, where the application can say. */
export function nameClient(
  scope: Scope,
  context: ExecutionContext,
  options: ReadYourWritesOptions | undefined,
): void {
  if (options === undefined) return;
  const key: unknown = options.clientOf(context);
  if (key === undefined) return;
  if (typeof key !== 'string' || key === '')
    throw new InvalidOptionError(
      'readYourWrites.clientOf must return a text that is not empty, or undefined.',
    );
  scope.client = { key, forMs: options.forMs ?? CLIENT_FOR_MS };
}
