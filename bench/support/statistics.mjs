/** Medians and tables: single values say nothing on a machine that others use too. */

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @param {readonly number[]} values */
export function range(values, digits = 2) {
  const [least, middle, most] = [Math.min(...values), median(values), Math.max(...values)];
  return [least, middle, most].map((value) => value.toFixed(digits)).join(' – ');
}

/**
 * A markdown table whose columns also line up on a terminal.
 *
 * @param {readonly string[]} head
 * @param {readonly (readonly string[])[]} rows - a row may be shorter than the head
 */
export function table(head, rows) {
  const all = [head, ...rows].map((row) => head.map((_, column) => row[column] ?? ''));
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column].length)));
  const line = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(all[0]), rule, ...all.slice(1).map(line)].join('\n');
}
