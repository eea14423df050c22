/** This library with `@Session()`, where the first statement begins the transaction by itself. */
import { oursSession } from './ours-session.mjs';

export default (database) => oursSession(database, { begin: 'implicit' });
