/** Where this library lies; read from a stack, for jest compiles its modules to CommonJS, which has no `import.meta`. */
const FILE = /\((.+):\d+:\d+\)$/m;

/** A file of this library, as stacks name it: a path, or a URL. Undefined where the application writes its stacks otherwise. */
export function ownFile(): string | undefined {
  const holder: { stack?: unknown } = {};
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 1;
  Error.captureStackTrace(holder);
  Error.stackTraceLimit = stackTraceLimit;
  return FILE.exec(String(holder.stack))?.[1];
}
