/** This library with `@Session()`, where what only reads is sent without a transaction. */
import { oursSession } from './ours-session.mjs';

export default (database) => oursSession(database, { begin: 'firstWrite', isolation: 'READ COMMITTED' });
