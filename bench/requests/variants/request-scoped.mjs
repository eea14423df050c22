/** A REQUEST-scoped provider that holds the request's query runner; what injects it is made anew for each request too. */
import { Dependencies, Injectable, Scope } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { accountsController, read, withdraw } from '../accounts.mjs';
import { databaseModules } from '../database-modules.mjs';

class RequestTransaction {
  constructor(dataSource) {
    this.runner = dataSource.createQueryRunner();
  }

  async run(work) {
    const { runner } = this;
    await runner.connect();
    await runner.startTransaction();
    try {
      const result = await work(runner.manager);
      await runner.commitTransaction();
      return result;
    } catch (error) {
      await runner.rollbackTransaction();
      throw error;
    } finally {
      await runner.release();
    }
  }
}
Injectable({ scope: Scope.REQUEST })(RequestTransaction);
Dependencies(DataSource)(RequestTransaction);

class Accounts {
  constructor(transaction) {
    this.transaction = transaction;
  }
  read(id) {
    return this.transaction.run((manager) => read(manager, id));
  }
  withdraw(id) {
    return this.transaction.run((manager) => withdraw(manager, id));
  }
}
Dependencies(RequestTransaction)(Accounts);

export default function requestScoped(database) {
  return {
    imports: databaseModules(database),
    controllers: [accountsController(Accounts)],
    providers: [RequestTransaction, Accounts],
  };
}
