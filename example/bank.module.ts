/** The bank's modules: TypeORM as usual, and one line for the sessions. */
import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ScopedSessionModule } from 'nestjs-scoped-session';
import { AccountsModule } from './accounts/accounts.module.js';
import { AuditModule } from './audit/audit.module.js';
import { databaseOptions } from './database/database-options.js';
import { SeedModule } from './database/seed.module.js';
import { TransfersModule } from './transfers/transfers.module.js';

@Module({
  imports: [
    TypeOrmModule.forRootAsync({ useFactory: databaseOptions }),
    ScopedSessionModule.forRoot(),
    AccountsModule,
    AuditModule,
    TransfersModule,
    SeedModule,
  ],
})
export class BankModule {}
