/** Where in the application's own code the running call came from. */
import { dirname } from 'node:path';
import { ownFile } from '../engine/index.js';

/** This library, wherever it is installed, as frames name it. */
const LIBRARY = folderOf(ownFile());
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

function folderOf(file: string | undefined): string | undefined {
  return file && dirname(dirname(file.replace(/^file:\/\//, '')));
}

function isForeign(file: string): boolean {
  return (LIBRARY !== undefined && file.startsWith(LIBRARY)) || /[\\/]node_modules[\\/]/.test(file);
}
