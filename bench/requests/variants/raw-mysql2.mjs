/** No ORM, no library: mysql2's own pool, and a transaction written by hand. What is faster than this leaves something out. */
import { Dependencies } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { accountsController } from '../accounts.mjs';
import { databaseModules } from '../database-modules.mjs';
import { INSERT, SELECT, UPDATE } from '../statements.mjs';

class Accounts {
  constructor(dataSource) {
    this.pool = dataSource.driver.pool;
  }

  read(id) {
    return this.#inTransaction(async (connection) => {
      const [[account]] = await connection.query(positional(SELECT), [id]);
      return account;
    });
  }

  withdraw(id) {
    return this.#inTransaction(async (connection) => {
      const [[account]] = await connection.query(positional(SELECT), [id]);
      account.balance -= 1;
      await connection.query(positional(UPDATE), [account.balance, id]);
      await connection.query(positional(INSERT), [id]);
      return account;
    });
  }

  async #inTransaction(work) {
    const connection = await this.pool.promise().getConnection();
    try {
      await connection.query('START TRANSACTION');
      const result = await work(connection);
      await connection.query('COMMIT');
      return result;
    } catch (error) {
      await connection.query('ROLLBACK');
      throw error;
    } finally {
      connection.release();
    }
  }
}
Dependencies(DataSource)(Accounts);

const POSITIONAL = new Map([SELECT, UPDATE, INSERT].map((sql) => [sql, sql.replaceAll(/:\w+/g, '?')]));
const positional = (sql) => POSITIONAL.get(sql);

export default function rawMysql2(database) {
  return {
    imports: databaseModules(database),
    controllers: [accountsController(Accounts)],
    providers: [Accounts],
  };
}
