/** This library, third way: SQL instead of an ORM, where the first statement begins the transaction by itself. */
import { Controller, Get, Param, Post } from '@nestjs/common';
import { ScopedSessionModule, Session } from '../../../dist/index.js';
import { decorate } from '../../support/decorate.mjs';
import { databaseModules } from '../database-modules.mjs';
import { INSERT, SELECT, UPDATE } from '../statements.mjs';

class AccountsController {
  async read(id, session) {
    return (await session.execute(SELECT, { id: Number(id) })).one();
  }
  async withdraw(id, session) {
    const account = (await session.execute(SELECT, { id: Number(id) })).one();
    account.balance -= 1;
    await session.execute(UPDATE, { id: account.id, balance: account.balance });
    await session.execute(INSERT, { id: account.id });
    return account;
  }
}
decorate(AccountsController, [Controller()], {
  read: { method: [Get('accounts/:id')], parameters: [Param('id'), Session()] },
  withdraw: { method: [Post('accounts/:id/withdrawals')], parameters: [Param('id'), Session()] },
});

export default function oursExecute(database) {
  return {
    imports: [...databaseModules(database), ScopedSessionModule.forRoot({ begin: 'implicit' })],
    controllers: [AccountsController],
  };
}
