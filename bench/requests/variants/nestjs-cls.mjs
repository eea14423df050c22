/** nestjs-cls with its transactional plug-in: `@Transactional()` on the service's methods, which use `txHost.tx`. */
import { Dependencies } from '@nestjs/common';
import { ClsPluginTransactional, Transactional, TransactionHost } from '@nestjs-cls/transactional';
import { TransactionalAdapterTypeOrm } from '@nestjs-cls/transactional-adapter-typeorm';
import { getDataSourceToken } from '@nestjs/typeorm';
import { ClsModule } from 'nestjs-cls';
import { decorate } from '../../support/decorate.mjs';
import { accountsController, read, withdraw } from '../accounts.mjs';
import { databaseModules } from '../database-modules.mjs';

class Accounts {
  constructor(transactionHost) {
    this.transactionHost = transactionHost;
  }
  read(id) {
    return read(this.transactionHost.tx, id);
  }
  withdraw(id) {
    return withdraw(this.transactionHost.tx, id);
  }
}
decorate(Accounts, [Dependencies(TransactionHost)], {
  read: { method: [Transactional()] },
  withdraw: { method: [Transactional()] },
});

export default function nestjsCls(database) {
  const imports = databaseModules(database);
  const adapter = new TransactionalAdapterTypeOrm({ dataSourceToken: getDataSourceToken() });
  return {
    imports: [
      ...imports,
      ClsModule.forRoot({
        middleware: { mount: true },
        plugins: [new ClsPluginTransactional({ imports: [imports[0]], adapter })],
      }),
    ],
    controllers: [accountsController(Accounts)],
    providers: [Accounts],
  };
}
