/** Members set on one instance over those of its class: no prototype is touched, and the instance can be had back as it was. */

export type Method = (...given: unknown[]) => unknown;

/** Own, not enumerable and replaceable: nothing that inspects or copies the object sees them. Returns the undoing. */
export function own(target: object, members: Record<string, Method>): () => void {
  const undoing = Object.entries(members).map(([name, value]) => {
    const previous = Object.getOwnPropertyDescriptor(target, name);
    Object.defineProperty(target, name, { configurable: true, writable: true, enumerable: false, value });
    return () => {
      if (previous === undefined) delete (target as Record<string, unknown>)[name];
      else Object.defineProperty(target, name, previous);
    };
  });
  return () => undoing.forEach((undo) => undo());
}
