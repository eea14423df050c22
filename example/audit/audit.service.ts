import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { AuditEntry } from './audit-entry.entity.js';

/** Knows nothing of sessions: its repository joins the transaction of whoever calls it. */
@Injectable()
export class AuditService {
  constructor(@InjectRepository(AuditEntry) private readonly entries: Repository<AuditEntry>) {}

  async note(text: string): Promise<void> {
    await this.entries.insert({ text });
  }

  all(): Promise<AuditEntry[]> {
    return this.entries.find({ order: { id: 'ASC' } });
  }
}
