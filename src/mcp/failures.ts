import { commandName } from '../base/command-name.js';
import { isLockError } from '../base/errors.js';
import { printable } from '../base/holder.js';
import { ClaimInvalidError } from '../claims/errors.js';
import { type Answer, failure } from './answers.js';

// The fields of a request, and how the tools call them.
const NAMED = new Map([
  ['files', 'paths'],
  ['directories', 'paths'],
  ['taskDescription', 'task'],
]);

/** Something that only another call, or the person, can fix. The message is complete. */
export class CannotSay extends Error {}

/** An answer that a model can act on, for whatever was thrown. */
export function describeFailure(error: unknown): Answer {
  if (error instanceof CannotSay) return failure(error.message);
  if (error instanceof ClaimInvalidError) return failure(invalid(error));
  const { message = String(error), code, syscall } = Object(error) as NodeJS.ErrnoException;
  if (isLockError(error, 'ERR_LOCK_TIMEOUT')) {
    return failure(`${message}. Nothing was changed: try again, or ask the person to look.`);
  }
  if (isLockError(error, 'ERR_LOCK_HELD')) {
    return failure(
      `${message}. Nothing was changed. Ask the person to give this server another name, with --agent.`,
    );
  }
  if (isLockError(error)) return failure(message);
  if (syscall !== undefined) {
    const about = `${message}. Claims cannot be read or written, so change nothing that others may be at work on`;
    return failure(`${about}; ask the person to look, with: ${commandName()} doctor`);
  }
  if (typeof code === 'string' && code.startsWith('ERR_')) return failure(asNamed(message));
  return failure(`Internal error, please report it: ${message}`);
}

function invalid({ files }: ClaimInvalidError): string {
  const lines = files
    .slice(0, 10)
    .map(({ file, reason }) => `- ${printable(file)}: ${printable(reason)}`);
  const more = files.length - lines.length;
  return [
    'Nothing was decided: the folder of the claims has files that are not valid claims, and their authors may rely on them.',
    ...lines,
    ...(more > 0 ? [`and ${more} more`] : []),
    `Change nothing that others may be at work on. Ask the person to fix them, or to put each aside with: ${commandName()} claim set-aside FILE`,
  ].join('\n');
}

/** `"request.files[0]" must be …` as `"paths" must be …`. */
function asNamed(message: string): string {
  return message.replace(/^"(?:request(?:s\[\d+\])?\.)?(\w+)(?:\[\d+\])?"/, (all, field: string) =>
    NAMED.has(field) ? `"${NAMED.get(field)}"` : all,
  );
}
