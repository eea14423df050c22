/** This library, first way: the bare application's own repositories join; not a line of it is changed. */
import { ScopedSessionModule } from '../../../dist/index.js';
import bare from './bare.mjs';

export default function oursRepositories(database) {
  const { imports, ...rest } = bare(database);
  return { ...rest, imports: [...imports, ScopedSessionModule.forRoot()] };
}
