/** Refuses, before any I/O, a way to begin transactions that a database does not have. */
import { InvalidOptionError } from '../errors.js';
import type { Backend } from './backend.js';
import { type BeginSettings, changesBetweenReads } from './isolation.js';

/** @param settings - its isolation is that of connections, where nothing else was asked */
export function refuseUnusable(backend: Backend, settings: BeginSettings): void {
  const { isolation, begin = 'explicit', unrepeatableReads, twoPhase } = settings;
  const { isolationLevels, beginModes, family, hasTwoPhases } = backend;
  if (isolation !== undefined && !isolationLevels.includes(isolation)) {
    throw new InvalidOptionError(
      `The isolation level ${isolation} does not exist on ${family}: use ${isolationLevels.join(' or ')}.`,
    );
  }
  if (!beginModes.includes(begin)) {
    throw new InvalidOptionError(
      `begin '${begin}' does not exist on ${family}: use ${beginModes.join(' or ')}.`,
    );
  }
  if (twoPhase === true && hasTwoPhases !== true)
    throw new InvalidOptionError(`twoPhase does not exist on ${family}: it is of MySQL and MariaDB.`);
  if (begin !== 'firstWrite' || unrepeatableReads === true || changesBetweenReads(isolation)) return;
  throw new InvalidOptionError(
    `begin 'firstWrite' sends reads outside the transaction: at ${isolation ?? "the server's own isolation level"} they ` +
      "would not see the snapshot that they see with begin 'explicit'. Set isolation to 'READ COMMITTED', or accept it with " +
      'unrepeatableReads: true.',
  );
}
