/** This library, second way: each handler has `@Session() session`; the one without a database does not use it. */
import { Controller, Get, Param, Post } from '@nestjs/common';
import { ScopedSessionModule, Session } from '../../../dist/index.js';
import { decorate } from '../../support/decorate.mjs';
import { NOTHING, read, withdraw } from '../accounts.mjs';
import { databaseModules } from '../database-modules.mjs';

class AccountsController {
  nothing(_session) {
    return NOTHING;
  }
  read(id, session) {
    return read(session.manager, Number(id));
  }
  withdraw(id, session) {
    return withdraw(session.manager, Number(id));
  }
}
decorate(AccountsController, [Controller()], {
  nothing: { method: [Get('nothing')], parameters: [Session()] },
  read: { method: [Get('accounts/:id')], parameters: [Param('id'), Session()] },
  withdraw: { method: [Post('accounts/:id/withdrawals')], parameters: [Param('id'), Session()] },
});

export function oursSession(database, options) {
  return {
    imports: [...databaseModules(database), ScopedSessionModule.forRoot(options)],
    controllers: [AccountsController],
  };
}

export default oursSession;
