import { oneLine } from './holder.js';
import { type FilePath, pathText } from './paths.js';

/**
 * An error of `node:fs`, for the caller. Those of calls on descriptors have no
 * path: this adds it. In the others, Node puts the path into the message as it is:
 * this makes that safe to print.
 */
export function withPath(error: unknown, filePath: FilePath): unknown {
  const failure = error as NodeJS.ErrnoException | undefined;
  if (failure?.syscall === undefined) return error;
  const { message, stack, path = pathText(filePath) } = failure;
  const end = failure.path === undefined ? ` '${path}'` : '';
  failure.message = oneLine(message + end);
  // Node prints the stack, which begins with the message.
  if (stack !== undefined) failure.stack = stack.replace(message, () => failure.message);
  return Object.assign(failure, { path });
}
