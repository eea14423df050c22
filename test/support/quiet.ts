/** I7: what Node says when nobody handled something. */

const heard: unknown[] = [];

// Our own warnings are the library's voice; tests that expect one listen for it.
const isNodes = ({ name }: Error): boolean =>
  name !== 'ScopedSessionWarning' && name !== 'ExperimentalWarning';

process.on('warning', (warning) => {
  if (isNodes(warning)) heard.push(warning);
});
process.on('unhandledRejection', (reason) => heard.push(reason));

export const quiet = {
  /** What was heard since the last call. */
  drain: (): unknown[] => heard.splice(0),
};
