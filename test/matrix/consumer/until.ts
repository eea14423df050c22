/** Waits for a condition; a check that waits in vain takes too long, which its runner says. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
