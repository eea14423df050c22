/** Which database the bank uses: the one that the environment names, else one in memory. */
import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import { dataSourceOptionsFromEnv, NoDataSourceError } from 'nestjs-scoped-session';
import { Account } from '../accounts/account.entity.js';
import { AuditEntry } from '../audit/audit-entry.entity.js';
import { Entry } from '../transfers/entry.entity.js';

export function databaseOptions(): TypeOrmModuleOptions {
  // synchronize makes the tables; a real application has migrations.
  return {
    ...fromEnvironment(),
    // By name: autoLoadEntities also takes those of every other application of the process, such as a test's.
    entities: [Account, AuditEntry, Entry],
    synchronize: true,
    retryAttempts: 1,
  };
}

function fromEnvironment(): TypeOrmModuleOptions {
  try {
    return dataSourceOptionsFromEnv();
  } catch (error) {
    if (error instanceof NoDataSourceError) return { type: 'sqljs' };
    throw error;
  }
}
