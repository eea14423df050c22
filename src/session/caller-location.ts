/** Where in the application's own code the running call came from. */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** This library, wherever it is installed. */
const LIBRARY = dirname(dirname(fileURLToPath(import.meta.url)));
/** Between the application and its statement lies much of TypeORM. */
const FRAMES = 100;
const FRAME = /^\s*at (?:async )?(?:(.*?) \()?(?:file:\/\/)?(\/.*?|[A-Za-z]:\\.*?|file:.*?):(\d+):(\d+)\)?$/;

/** The innermost frame that belongs neither to this library nor to a package; undefined where it is out of sight. */
export function callerLocation(): string | undefined {
  const holder: { stack?: string } = {};
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = FRAMES;
  Error.captureStackTrace(holder, callerLocation);
  Error.stackTraceLimit = stackTraceLimit;
  for (const line of holder.stack?.split('\n') ?? []) {
    const [, name, file, row, column] = FRAME.exec(line) ?? [];
    if (file === undefined || isForeign(file)) continue;
    return `${file}:${row}:${column}${name === undefined ? '' : ` (${name})`}`;
  }
  return undefined;
}

function isForeign(file: string): boolean {
  return file.startsWith(LIBRARY) || /[\\/]node_modules[\\/]/.test(file);
}
