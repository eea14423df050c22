/** The subpath `nestjs-scoped-session/testing`: nothing of it is reachable from the main entry. */
export {
  FAKE_EVENTS,
  fakeSession,
  type FakeAnswer,
  type FakeAnswers,
  type FakeEvent,
  type FakeStatement,
} from './fake-session.js';
export type { FakeObjectsOptions } from './fake-objects.js';
export { useSession } from './use-session.js';
export { withSession } from './with-session.js';
