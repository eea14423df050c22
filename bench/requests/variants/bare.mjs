/** Repositories and nothing else: every statement is a transaction of its own. */
import { InjectRepository } from '@nestjs/typeorm';
import { accountsController, repositoryService } from '../accounts.mjs';
import { databaseModules } from '../database-modules.mjs';

export default function bare(database) {
  const Accounts = repositoryService(InjectRepository);
  return {
    imports: databaseModules(database),
    controllers: [accountsController(Accounts)],
    providers: [Accounts],
  };
}
