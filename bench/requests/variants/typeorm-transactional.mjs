/** typeorm-transactional: `@Transactional()` on the service's methods, repositories patched to join. */
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import {
  addTransactionalDataSource,
  initializeTransactionalContext,
  StorageDriver,
  Transactional,
} from 'typeorm-transactional';
import { accountsController, ENTITIES, repositoryService } from '../accounts.mjs';

export default function typeormTransactional(database) {
  initializeTransactionalContext({ storageDriver: StorageDriver.ASYNC_LOCAL_STORAGE });
  const Accounts = repositoryService(InjectRepository, [Transactional()]);
  return {
    imports: [
      TypeOrmModule.forRootAsync({
        useFactory: () => ({ ...database, entities: ENTITIES }),
        dataSourceFactory: async (options) => addTransactionalDataSource(new DataSource(options)),
      }),
      TypeOrmModule.forFeature(ENTITIES),
    ],
    controllers: [accountsController(Accounts)],
    providers: [Accounts],
  };
}
