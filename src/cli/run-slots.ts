import { basename, dirname, join } from 'node:path';
import { formatTimeout } from '../base/errors.js';
import { describeHolder, type Holder } from '../base/holder.js';
import { type FilePath, pathText } from '../base/paths.js';
import { monotonicTime } from '../base/timers.js';
import type { FileLock } from '../lock/file-lock.js';
import { enter } from '../slots/enter.js';
import { allOf } from '../slots/errors.js';
import { inspectSlots } from '../slots/inspect.js';
import { checkCall, checkGround, MOST_SLOTS } from '../slots/options.js';
import { EXIT, Exit, usageError } from './exit-codes.js';
import { advise, isRefusal, reportDuration, reportRefusal } from './refusal.js';
import type { RunOptions } from './run-options.js';
import { type Streams, say } from './streams.js';
import { WaitingLine } from './waiting-line.js';
import { bytesOf } from './words.js';

const MOST_NAMED = 8;

/** Takes a slot for `run --slots`; an exit status if there is none. */
export async function acquireSlot(
  slots: number,
  options: RunOptions,
  typed: string,
  streams: Streams,
): Promise<{ locks: [FileLock]; environment: Record<string, string> } | number> {
  if (typed === '') throw new Exit(EXIT.cantCreate, 'DIR must not be empty');
  if (slots < 1 || slots > MOST_SLOTS) {
    throw usageError(`--slots takes a number from 1 to ${MOST_SLOTS}, not ${slots}`, 'run');
  }
  const { timeout, quiet, verbose, data } = options;
  const ground = checkGround(bytesOf(typed), { slots, permissions: 0o666 });
  const look = async () => {
    const { slots: all, waiters } = await inspectSlots(ground);
    const [holder = null] = all.flatMap(({ holders }) => holders[0] ?? []);
    return { holder, ahead: waiters.indexOf(process.pid) };
  };
  const wanted = slots === 1 ? 'the slot' : `one of the ${slots} slots`;
  const line = quiet ? null : new WaitingLine(streams, `${wanted} of ${typed}`, timeout, look);
  const began = monotonicTime();
  try {
    const call = checkCall(ground, {
      timeout,
      ...(Object.keys(data).length > 0 && { data }),
      onWait: (holders: Holder[]) => line?.begin(holders[0] ?? null),
    });
    const { number, lock } = await enter<Record<string, unknown>>(call);
    line?.end('granted');
    if (verbose) reportDuration(began, streams);
    return { locks: [lock], environment: { HOLDFAST_SLOT: String(number) } };
  } catch (error) {
    line?.end('refused');
    if (!isRefusal(error) || quiet) {
      return reportRefusal(error, typedOf(error, ground.directory, typed), options, streams);
    }
    const late =
      error.code === 'ERR_LOCK_TIMEOUT' ? `gave up after ${formatTimeout(timeout)}: ` : '';
    const verb = slots === 1 ? 'is' : 'are';
    say(streams, `${late}${allOf(slots)} of ${typed} ${verb} taken by`);
    for (const each of nameAll((error as unknown as { holders: Holder[] }).holders, slots)) {
      say(streams, `  ${each}`);
    }
    advise(error, typed, streams);
    return options.conflictCode;
  }
}

/** What the path of the error is, as typed: the folder, or a file in it. */
function typedOf(error: unknown, directory: FilePath, typed: string): string {
  const { path, code } = error as NodeJS.ErrnoException;
  const folder = pathText(directory);
  // ENOTDIR: of the folder itself.
  if (path === undefined || code === 'ENOTDIR' || dirname(path) !== folder) return typed;
  return join(typed, basename(path));
}

function nameAll(holders: readonly Holder[], slots: number): string[] {
  const named = holders.slice(0, MOST_NAMED).map((holder) => describeHolder(holder));
  const others = slots - named.length;
  if (others > 0) named.push(named.length === 0 ? 'other processes' : `${others} more`);
  return named;
}
