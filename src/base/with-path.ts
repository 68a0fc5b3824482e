import { type FilePath, pathText } from './paths.js';

/** Node's errors of calls on descriptors have no path: this adds it. */
export function withPath(error: unknown, filePath: FilePath): unknown {
  const failure = error as NodeJS.ErrnoException | undefined;
  if (failure?.syscall === undefined || failure.path !== undefined) return error;
  const path = pathText(filePath);
  failure.message += ` '${path}'`;
  return Object.assign(failure, { path });
}
