/** What every variant does: the tables, the statements of the three routes, and a controller for services. */
import { Controller, Dependencies, Get, Param, Post } from '@nestjs/common';
import { Column, Entity, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';
import { decorate, decorateProperty } from '../support/decorate.mjs';

export class Account {}
decorate(Account, [Entity()]);
decorateProperty(Account, 'id', [PrimaryColumn({ type: 'int' })]);
decorateProperty(Account, 'owner', [Column({ type: 'varchar', length: 40 })]);
decorateProperty(Account, 'balance', [Column({ type: 'int' })]);

export class Entry {}
decorate(Entry, [Entity()]);
decorateProperty(Entry, 'id', [PrimaryGeneratedColumn()]);
decorateProperty(Entry, 'accountId', [Column({ type: 'int' })]);
decorateProperty(Entry, 'cents', [Column({ type: 'int' })]);

export const ENTITIES = [Account, Entry];

/** The answer of the route without a database. */
export const NOTHING = Object.freeze({ id: 1, owner: 'nobody', balance: 0 });

/** One SELECT by primary key. */
export function read(manager, id) {
  return manager.findOneBy(Account, { id });
}

/** SELECT, UPDATE, INSERT. */
export async function withdraw(manager, id) {
  const account = await manager.findOneBy(Account, { id });
  account.balance -= 1;
  await manager.update(Account, id, { balance: account.balance });
  await manager.insert(Entry, { accountId: id, cents: -1 });
  return account;
}

/** The same through two repositories. */
export async function withdrawFrom(accounts, entries, id) {
  const account = await accounts.findOneBy({ id });
  account.balance -= 1;
  await accounts.update(id, { balance: account.balance });
  await entries.insert({ accountId: id, cents: -1 });
  return account;
}

/** The three routes, over a service that has `read(id)` and `withdraw(id)`. */
export function accountsController(Service) {
  class AccountsController {
    constructor(service) {
      this.service = service;
    }
    nothing() {
      return NOTHING;
    }
    read(id) {
      return this.service.read(Number(id));
    }
    withdraw(id) {
      return this.service.withdraw(Number(id));
    }
  }
  return decorate(AccountsController, [Controller(), Dependencies(Service)], {
    nothing: { method: [Get('nothing')] },
    read: { method: [Get('accounts/:id')], parameters: [Param('id')] },
    withdraw: { method: [Post('accounts/:id/withdrawals')], parameters: [Param('id')] },
  });
}

/** A service over repositories that knows nothing of transactions. */
export function repositoryService(InjectRepository, methodDecorators = []) {
  class Accounts {
    constructor(accounts, entries) {
      this.accounts = accounts;
      this.entries = entries;
    }
    read(id) {
      return this.accounts.findOneBy({ id });
    }
    withdraw(id) {
      return withdrawFrom(this.accounts, this.entries, id);
    }
  }
  InjectRepository(Account)(Accounts, undefined, 0);
  InjectRepository(Entry)(Accounts, undefined, 1);
  const members = { read: { method: methodDecorators }, withdraw: { method: methodDecorators } };
  return decorate(Accounts, [], members);
}
