/** The end of a driver's own pool: what our pool holds of it goes back first, or it would be waited for. */
import type { DataSource } from 'typeorm';
import { own } from './own-members.js';
import type { ConnectionPool } from './pool.js';

/** Closes `pool` whenever the DataSource disconnects; what is returned closes it now, and leaves the driver alone. */
export function closeWithDriver({ driver }: DataSource, pool: Pick<ConnectionPool, 'close'>): () => void {
  const disconnect = driver.disconnect.bind(driver);
  const leave = own(driver, {
    disconnect: () => {
      pool.close();
      return disconnect();
    },
  });
  return () => {
    leave();
    pool.close();
  };
}
