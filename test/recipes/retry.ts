/** A transfer that is done again, as a whole, after a deadlock. */
import { Injectable } from '@nestjs/common';
import { ScopedSession } from 'nestjs-scoped-session';

@Injectable()
export class Transfers {
  constructor(private readonly session: ScopedSession) {}

  move(from: string, to: string, pieces: number): Promise<void> {
    return this.session.run(
      async () => {
        await this.add(from, -pieces);
        await this.add(to, pieces);
      },
      { retry: { times: 3 } }, // each attempt has a new session and a new transaction
    );
  }

  async add(item: string, pieces: number): Promise<void> {
    const sql = 'UPDATE stock SET pieces = pieces + :pieces WHERE item = :item';
    await this.session.execute(sql, { item, pieces });
  }
}
