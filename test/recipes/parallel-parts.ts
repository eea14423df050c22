/** Parts beside each other, each with a savepoint of its own. */
import { Injectable } from '@nestjs/common';
import { ScopedSession } from 'nestjs-scoped-session';

@Injectable()
export class Lines {
  constructor(private readonly session: ScopedSession) {}

  /** Stores what can be stored, and says what could not. */
  async store(items: readonly string[]): Promise<string[]> {
    const results = await Promise.allSettled(
      items.map((item) => this.session.beginNested(() => this.storeOne(item))),
    );
    return items.filter((_, index) => results[index]!.status === 'rejected');
  }

  private async storeOne(item: string): Promise<void> {
    await this.session.execute('INSERT INTO orders (item) VALUES (:item)', { item });
    await this.session.execute('INSERT INTO stock (item, pieces) VALUES (:item, 1)', { item });
  }
}
