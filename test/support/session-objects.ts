/** Words of the conformance rows about objects: what was sent in short, a new user, and READ. */
import { ExpiredPropertyError, type SessionBase } from 'nestjs-scoped-session';
import { inShort } from './flushing.js';
import { User, type Users } from './users.js';

export const newUser = (values: Partial<User>): User => Object.assign(new User(), values);

/** SQL of the rows since the last call, as verbs and tables: `INSERT users`. */
export function sent({ recorder }: Pick<Users, 'recorder'>): string[] {
  const statements = recorder.rowStatements;
  recorder.take();
  return statements.map(inShort);
}

/** READ: what is expired throws, and is there after a refresh. */
export async function read<E extends object, P extends keyof E>(
  session: SessionBase,
  entity: E,
  property: P,
): Promise<E[P]> {
  try {
    return entity[property];
  } catch (error) {
    if (!(error instanceof ExpiredPropertyError)) throw error;
    await session.refresh(entity);
    return entity[property];
  }
}
