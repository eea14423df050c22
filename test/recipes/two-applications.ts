/** A module that is made as often as one likes, also twice in one process. */
import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ScopedSessionModule, scopedDataSource } from 'nestjs-scoped-session';
import type { DataSourceOptions } from 'typeorm';

export function appModule(options: () => DataSourceOptions): new () => object {
  @Module({
    imports: [
      TypeOrmModule.forRootAsync({
        useFactory: () => ({ ...options(), retryAttempts: 3, retryDelay: 10 }),
        dataSourceFactory: scopedDataSource, // called again by each attempt
      }),
      ScopedSessionModule.forRoot(),
    ],
  })
  class AppModule {}
  return AppModule;
}
