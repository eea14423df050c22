/** Values of parameters stay in a failed statement's error, where no log, inspector or JSON finds them by itself. */

/** `sql` is mysql2's, with the values written into it. */
const WITH_VALUES = ['parameters', 'sql'] as const;

/** Makes the values of TypeORM's error, and of the driver's in it, readable for those only who ask for them by name. */
export function hideValues(error: unknown): void {
  if (typeof error !== 'object' || error === null) return;
  for (const name of WITH_VALUES) {
    if (Object.getOwnPropertyDescriptor(error, name)?.configurable === true)
      Object.defineProperty(error, name, { enumerable: false });
  }
  hideValues((error as { driverError?: unknown }).driverError);
}
