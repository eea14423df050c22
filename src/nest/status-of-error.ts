/** The HTTP status that an error of a handler stands for. */

export function statusOfError(error: unknown): number {
  const { getStatus } = (error ?? {}) as { getStatus?: () => unknown };
  const status = typeof getStatus === 'function' ? getStatus.call(error) : undefined;
  return typeof status === 'number' ? status : 500;
}

/** Of several errors the one with the highest status, so that a 404 beside it does not hide a failure. */
export function gravestOf(errors: readonly unknown[]): { readonly error: unknown; readonly status: number } {
  const all = errors.map((error) => ({ error, status: statusOfError(error) }));
  return all.reduce((gravest, one) => (one.status > gravest.status ? one : gravest));
}
