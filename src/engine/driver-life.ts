/** The end of a driver's own pool: what our pool holds of it goes back first, or it would be waited for. */
import type { DataSource } from 'typeorm';
import { own } from './own-members.js';

interface Closing {
  close(): Promise<unknown> | void;
}

/** Closes `pool` whenever the DataSource disconnects; what is returned closes it now, and leaves the driver alone. */
export function closeWithDriver({ driver }: DataSource, pool: Closing): () => void {
  const disconnect = driver.disconnect.bind(driver);
  const leave = own(driver, {
    disconnect: async () => {
      const closed = pool.close();
      await disconnect();
      await closed;
    },
  });
  return () => {
    leave();
    void pool.close();
  };
}
