/** The pattern of TypeORM's documentation: a query runner, a transaction, try, catch, finally, in every method. */
import { Dependencies } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { accountsController, read, withdraw } from '../accounts.mjs';
import { databaseModules } from '../database-modules.mjs';

class Accounts {
  constructor(dataSource) {
    this.dataSource = dataSource;
  }

  async read(id) {
    const runner = this.dataSource.createQueryRunner();
    await runner.connect();
    await runner.startTransaction();
    try {
      const account = await read(runner.manager, id);
      await runner.commitTransaction();
      return account;
    } catch (error) {
      await runner.rollbackTransaction();
      throw error;
    } finally {
      await runner.release();
    }
  }

  async withdraw(id) {
    const runner = this.dataSource.createQueryRunner();
    await runner.connect();
    await runner.startTransaction();
    try {
      const account = await withdraw(runner.manager, id);
      await runner.commitTransaction();
      return account;
    } catch (error) {
      await runner.rollbackTransaction();
      throw error;
    } finally {
      await runner.release();
    }
  }
}
Dependencies(DataSource)(Accounts);

export default function handWritten(database) {
  return {
    imports: databaseModules(database),
    controllers: [accountsController(Accounts)],
    providers: [Accounts],
  };
}
