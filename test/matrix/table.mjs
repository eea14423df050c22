/** The summary at the end of a run. */

/** @param {readonly { name: string, passed: boolean, seconds: number }[]} rows */
export function printTable(rows) {
  const width = Math.max(...rows.map(({ name }) => name.length));
  console.log('');
  for (const { name, passed, seconds } of rows) {
    console.log(
      `${name.padEnd(width)}  ${passed ? 'passed' : 'FAILED'}  ${seconds.toFixed(1).padStart(6)} s`,
    );
  }
  const failed = rows.filter(({ passed }) => !passed).length;
  console.log(`\n${rows.length} cells, ${failed} failed`);
}
