/** Opens two accounts when there is none. */
import { Module, type OnApplicationBootstrap } from '@nestjs/common';
import { ScopedSession } from 'nestjs-scoped-session';
import { Account } from '../accounts/account.entity.js';

@Module({})
export class SeedModule implements OnApplicationBootstrap {
  constructor(private readonly session: ScopedSession) {}

  /** Nobody has opened a scope at boot, so this does. */
  async onApplicationBootstrap(): Promise<void> {
    await this.session.run(async ({ manager }) => {
      if ((await manager.count(Account)) > 0) return;
      await manager.insert(Account, [
        { owner: 'Ada', cents: 100_00 },
        { owner: 'Grace', cents: 50_00 },
      ]);
    });
  }
}
