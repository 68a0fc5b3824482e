import { checkFilePath } from '../base/arguments.js';
import type { Holder } from '../base/holder.js';
import { monotonicTime } from '../base/timers.js';
import type { FileLock } from '../lock/file-lock.js';
import { acquireInTurn, besideEachOther } from '../lock/in-turn.js';
import { checkRequest } from '../lock/options.js';
import { ownCommand } from '../native/own-command.js';
import { usageError } from './exit-codes.js';
import { isLockUrl } from './is-lock-url.js';
import { reportDuration, reportRefusal } from './refusal.js';
import type { RunOptions } from './run-options.js';
import type { Streams } from './streams.js';
import { WaitingLine } from './waiting-line.js';
import { bytesOf } from './words.js';

function nest(outer: string, inner: string): string {
  const own = ownCommand();
  return `${own} run ${outer} -- ${own} run ${inner}`;
}

/** Throws where `--also` has no meaning, or a misleading one. */
export function checkAlso({ also, target, unlock, instance, slots }: RunOptions): void {
  const fail = (problem: string): never => {
    throw usageError(problem, 'run');
  };
  if (typeof target === 'number') fail('--also needs a FILE and a COMMAND, not a descriptor');
  if (unlock) fail('--also and -u (--unlock) exclude each other');
  if (slots !== null) {
    const nested = nest('OTHER', '--slots N DIR COMMAND');
    fail(`--also and --slots exclude each other; nest them: ${nested}`);
  }
  // It may be forced, which is for one lock.
  if (instance !== null) {
    const nested = nest('--instance NAME FILE', 'OTHER COMMAND');
    fail(`--also and --instance exclude each other; nest them: ${nested}`);
  }
  // A server has no real paths that could be sorted among those of files.
  if ([target, ...also].some((each) => typeof each === 'string' && isLockUrl(each))) {
    const nested = nest('URL', 'FILE COMMAND');
    fail(`--also is for files, not for a URL; nest them: ${nested}`);
  }
}

/**
 * Acquires the locks of `run --also` in the order that all callers have: the one
 * of FILE first in the result, each once. A number is the exit status of a
 * refusal, which has been reported.
 */
export async function acquireWithOthers(
  options: RunOptions,
  target: string,
  streams: Streams,
): Promise<{ locks: [FileLock, ...FileLock[]] } | number> {
  const { mode, timeout, quiet, verbose, also } = options;
  const typed = [target, ...also];
  const data = Object.keys(options.data).length === 0 ? {} : { data: options.data };
  // All begin now: each shows how long the command has waited for all locks.
  const lines = typed.map((each) => (quiet ? null : new WaitingLine(streams, each, timeout)));
  const acquire = besideEachOther();
  const began = monotonicTime();
  let refused: string | undefined;
  try {
    const paths = typed.map((each) => checkFilePath(bytesOf(each)));
    const { locks } = await acquireInTurn(paths, { timeout, creates: true }, async (at, left) => {
      refused = typed[at];
      const line = lines[at];
      const onWait = (holder: Holder | null): void => line?.begin(holder);
      const wanted = { mode, permissions: 0o666, onWait, ...data };
      try {
        const lock = await acquire(checkRequest(paths[at], wanted, left));
        line?.end('granted');
        return lock;
      } catch (error) {
        line?.end('refused');
        throw error;
      }
    });
    if (verbose) reportDuration(began, streams);
    return { locks: [...new Set(locks)] as [FileLock, ...FileLock[]] };
  } catch (error) {
    // Of a folder: no lock has been tried yet.
    const { path = target } = error as { path?: string };
    return reportRefusal(error, refused ?? path, options, streams);
  }
}
