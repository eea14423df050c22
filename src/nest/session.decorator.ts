/** `Session`: as a value the parameter decorator, as a type the session it gives. */
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { NoActiveScopeError } from '../errors.js';
import { currentScope } from '../scope/index.js';
import type { SessionApi } from '../session/index.js';
import { Databases } from './databases.js';
import { DEFAULT_NAME } from './tokens.js';

/** One request's session; see `SessionApi` for its members. */
export interface Session extends SessionApi, AsyncDisposable {}

const sessionOfRequest = createParamDecorator((name: string | undefined, context: ExecutionContext) => {
  const owner = currentScope()?.owner;
  if (!(owner instanceof Databases)) {
    const handler = `${context.getClass().name}.${context.getHandler().name}`;
    throw new NoActiveScopeError(`@Session() of ${handler} (${context.getType()})`);
  }
  return owner.get(name ?? DEFAULT_NAME).scoped.current();
});

/**
 * Gives a handler's parameter the request's session. Nothing is opened before it is used.
 *
 * @param name - the database, as in `forRoot({ name })`; left out, the default one
 * @throws `SS_ERR_NO_ACTIVE_SCOPE` when the handler has no scope
 *
 * @example
 * ```ts
 * import { Controller, Get } from '@nestjs/common';
 * import { Session } from 'nestjs-scoped-session';
 * @Controller('accounts')
 * export class AccountsController {
 *   @Get('count')
 *   count(@Session() session: Session) {
 *     return session.scalar('SELECT COUNT(*) FROM account');
 *   }
 * }
 * ```
 */
export const Session = (name?: string): ParameterDecorator => {
  const decorate = sessionOfRequest(name);
  return (target, property, index) => {
    decorate(target, property, index);
    hideParameterType(target, property, index);
  };
};

/**
 * The parameter's type is for people. Some compilers emit this decorator itself for it, others a class that a
 * ValidationPipe with `validateCustomDecorators` would clone the session into.
 */
function hideParameterType(target: object, property: string | symbol | undefined, index: number): void {
  if (property === undefined) return;
  const types = Reflect.getMetadata('design:paramtypes', target, property) as unknown[] | undefined;
  if (types === undefined) return;
  const hidden = types.map((type, position) => (position === index ? Object : type));
  Reflect.defineMetadata('design:paramtypes', hidden, target, property);
}
