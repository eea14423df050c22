import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { ScopedSession } from 'nestjs-scoped-session';
import { Repository } from 'typeorm';
import { Account } from './account.entity.js';

/** A singleton like any other; the repository takes part in the request's transaction by itself. */
@Injectable()
export class AccountsService {
  constructor(
    private readonly session: ScopedSession,
    @InjectRepository(Account) private readonly accounts: Repository<Account>,
  ) {}

  all(): Promise<Account[]> {
    return this.accounts.find({ order: { id: 'ASC' } });
  }

  open(owner: string, cents: number): Promise<Account> {
    return this.accounts.save(this.accounts.create({ owner, cents }));
  }

  sessionName(): unknown {
    return this.session.info['name'];
  }
}
