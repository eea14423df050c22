/** What was asked for on the command line; unknown words are refused, so that a typing error is not measured. */

/**
 * @param {string[]} given - `process.argv.slice(2)`
 * @param {Record<string, boolean | string | undefined>} defaults - `--name` for a boolean, `--name value` for a text
 * @returns {Record<string, boolean | string | undefined>}
 */
export function readArguments(given, defaults) {
  const read = { ...defaults };
  for (let place = 0; place < given.length; place += 1) {
    const [name, value] = given[place].replace(/^--/, '').split('=', 2);
    if (!given[place].startsWith('--') || !Object.hasOwn(defaults, name)) {
      throw new Error(
        `${given[place]} is not known here; there are --${Object.keys(defaults).join(', --')}.`,
      );
    }
    if (typeof defaults[name] === 'boolean') read[name] = true;
    else read[name] = value ?? given[(place += 1)];
    if (read[name] === undefined) throw new Error(`--${name} needs a value.`);
  }
  return read;
}

/** A whole number, 1 and up. */
export function count(value, name) {
  const number = Number(value);
  if (Number.isInteger(number) && number > 0) return number;
  throw new Error(`--${name} must be a whole number of 1 and up.`);
}
