/** Which cells a run is about. */
import { parseArgs } from 'node:util';

const USAGE = 'npm run test:matrix -- [--ci] [--only <name or its beginning>]… [--list]';

/**
 * @param {readonly string[]} given
 * @param {readonly import('./cells.mjs').Cell[]} cells
 * @returns {{ cells: readonly import('./cells.mjs').Cell[], list: boolean }}
 */
export function chosenCells(given, cells) {
  const { values } = parseArgs({
    args: [...given],
    options: {
      ci: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      list: { type: 'boolean', default: false },
    },
  });
  const { ci, only, list } = values;
  const chosen = cells.filter(
    ({ name, isCorner }) =>
      (!ci || isCorner) && (only.length === 0 || only.some((part) => name.startsWith(part))),
  );
  // A run of nothing would pass.
  if (chosen.length === 0) throw new Error(`No cell is meant by ${given.join(' ')}. ${USAGE}`);
  return { cells: chosen, list };
}
