/** Requests that change objects: loaded once, stored at the end, refused where somebody else was faster. */
import { Body, Controller, Param, ParseIntPipe, Post } from '@nestjs/common';
import { ScopedSession, Session } from 'nestjs-scoped-session';
import { Account } from './entities.js';
import { NotesService, RequestNotes } from './notes.service.js';

@Controller('accounts')
export class AccountsController {
  constructor(
    private readonly scoped: ScopedSession,
    private readonly notes: NotesService,
  ) {}

  @Post()
  open(@Session() session: Session, @Body() { owner, cents }: Pick<Account, 'owner' | 'cents'>): Account {
    const account = Object.assign(new Account(), { owner, cents });
    session.add(account);
    return account;
  }

  @Post(':id/withdraw')
  async withdraw(@Param('id', ParseIntPipe) id: number, @Body('cents') cents: number): Promise<object> {
    // SQLite has no locks of rows, and one writer at a time.
    const isLocking = this.scoped.dataSource.options.type === 'mysql';
    const account = await this.scoped.getOrFail(Account, id, isLocking ? { lock: 'pessimistic_write' } : {});
    account.cents -= cents;
    const again = await this.scoped
      .query(Account, 'a')
      .where('a.cents = :left', { left: account.cents })
      .getOne();
    return { isOne: again === account, version: account.version };
  }

  @Post(':id/rename/:owner')
  async rename(@Param('id', ParseIntPipe) id: number, @Param('owner') owner: string): Promise<void> {
    await this.notes.rename(id, owner);
    const names = await this.scoped.scalars('SELECT owner FROM account');
    if (names.join(',') !== owner) throw new Error(`The account belongs to ${names.join(',')}.`);
  }

  /** As if somebody else had stored this account after it was loaded here. */
  @Post(':id/outrun')
  async outrun(@Param('id', ParseIntPipe) id: number): Promise<void> {
    const account = await this.scoped.getOrFail(Account, id);
    await this.scoped.execute('UPDATE account SET version = version + 1 WHERE id = :id', { id });
    account.cents = 0;
  }
}

/** Made anew for each request, for what it depends on is. */
@Controller('request-scoped')
export class RequestScopedController {
  constructor(private readonly notes: RequestNotes) {}

  @Post()
  async add(@Session() session: Session, @Body('text') text: string): Promise<object> {
    await this.notes.session.execute('INSERT INTO note (text) VALUES (:text)', { text });
    return { sees: Number(await session.scalar('SELECT COUNT(*) FROM note')) };
  }
}
