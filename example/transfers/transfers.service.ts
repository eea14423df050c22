import { randomUUID } from 'node:crypto';
import { Injectable, NotFoundException, UnprocessableEntityException } from '@nestjs/common';
import { ScopedSession } from 'nestjs-scoped-session';
import { Account } from '../accounts/account.entity.js';
import { AuditService } from '../audit/audit.service.js';
import { Entry } from './entry.entity.js';

export interface Transfer {
  readonly id: string;
  readonly from: Account;
  readonly to: Account;
}

@Injectable()
export class TransfersService {
  constructor(
    private readonly session: ScopedSession,
    private readonly audit: AuditService,
  ) {}

  /** Everything here, the audit entry included, is one transaction: it ends when the request does. */
  async transfer(from: number, to: number, cents: number): Promise<Transfer> {
    const id = randomUUID();
    await this.audit.note(`${cents} cents from ${from} to ${to}`);
    await this.session.execute(
      'INSERT INTO entry (transfer, account, cents) VALUES (:id, :account, :cents)',
      [
        { id, account: from, cents: -cents },
        { id, account: to, cents },
      ],
    );
    // Always in the same order, so that two transfers in opposite directions cannot wait for each other.
    const accounts = new Map<number, Account>();
    for (const account of [from, to].toSorted((a, b) => a - b)) {
      accounts.set(account, await this.add(account, account === from ? -cents : cents));
    }
    return { id, from: accounts.get(from)!, to: accounts.get(to)! };
  }

  entries(): Promise<Entry[]> {
    return this.session.manager.find(Entry, { order: { id: 'ASC' } });
  }

  private async add(id: number, cents: number): Promise<Account> {
    const { manager } = this.session;
    await manager.increment(Account, { id }, 'cents', cents);
    const account = await manager.findOneBy(Account, { id });
    if (account === null) throw new NotFoundException(`There is no account ${id}.`);
    if (account.cents < 0) throw new UnprocessableEntityException(`Account ${id} has too little money.`);
    return account;
  }
}
