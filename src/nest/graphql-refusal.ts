/** What a resolver is told that uses a session where nothing would commit it. */
import { UnsupportedContextError } from '../errors.js';
import { currentScope } from '../scope/index.js';
import { configureScope } from '../session/index.js';

/** From here on no session can be made in the scope, and repositories are plain TypeORM. */
export function refuseUncommitted(label: string): void {
  const scope = currentScope();
  if (scope === undefined) return;
  const refusal = new UnsupportedContextError(
    `${label} used a session, and nothing there would commit it: it is a subscription, or its GraphQL driver is neither ` +
      "ApolloDriver nor MercuriusDriver, or the application has set the driver's plugins or hooks itself. Use " +
      'scopedSession.run(fn).',
  );
  configureScope(scope, { refusal, repositories: 'leave' });
}
