/** Which database the bank uses: the one that the environment names, else one in memory. */
import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import { dataSourceOptionsFromEnv, NoDataSourceError } from 'nestjs-scoped-session';

export function databaseOptions(): TypeOrmModuleOptions {
  // synchronize makes the tables; a real application has migrations.
  return {
    ...fromEnvironment(),
    autoLoadEntities: true,
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
