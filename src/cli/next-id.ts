import { dirname, resolve } from 'node:path';
import { describeHolder, type Holder } from '../base/holder.js';
import type { HeldLock } from '../base/locker.js';
import type { FilePath } from '../base/paths.js';
import { besideEachOther } from '../lock/in-turn.js';
import { checkRequest, type FileLockOptions } from '../lock/options.js';
import { giveNextId } from '../next-id/next-id.js';
import { runCommand } from './command.js';
import { EXIT, Exit, exitCodeOf, messageOf, usageError } from './exit-codes.js';
import { isLockUrl } from './is-lock-url.js';
import type { OnServer } from './next-id-url.js';
import { FLAG, parseLeading, QUIET, TEXT, TIMEOUT } from './options.js';
import { type Streams, say } from './streams.js';
import { parseTime } from './time.js';
import { bytesOf } from './words.js';

export const OPTIONS = {
  pattern: TEXT,
  with: { ...TEXT, multiple: true },
  pad: TEXT,
  timeout: TIMEOUT,
  reuse: FLAG,
  start: TEXT,
  'lock-name': TEXT,
  locker: TEXT,
  quiet: QUIET,
} as const;

/** The command has failed, so the id has not been given out. */
class Failed extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`the command exited with ${status}`);
    this.status = status;
  }
}

/** The id could not be printed, so it has not been given out. */
class NotPrinted extends Error {}

/** `holdfast next-id`. */
export async function nextId(argv: string[], streams: Streams): Promise<number> {
  const { values, operand, command } = parseLeading(argv, OPTIONS, 'next-id');
  if (operand === undefined || operand === '') throw usageError('DIR is missing', 'next-id');
  for (const folder of [operand, ...((values.get('with') as string[] | undefined) ?? [])]) {
    if (isLockUrl(folder)) {
      throw usageError('DIR is a folder, not a URL; use --locker URL DIR', 'next-id');
    }
  }
  const value = (name: keyof typeof OPTIONS): string | undefined =>
    values.get(name) as string | undefined;
  const timeout = value('timeout');
  const others = (values.get('with') as string[] | undefined) ?? [];
  if (others.includes('')) throw usageError('--with needs a folder', 'next-id');
  const options = {
    pattern: patternOf(value('pattern')),
    with: others.map(bytesOf),
    pad: numberOf(value('pad'), '--pad'),
    timeout: timeout === undefined ? undefined : parseTime(timeout, '--timeout', 'next-id'),
    start: numberOf(value('start'), '--start'),
    reuse: values.has('reuse'),
    lockName: value('lock-name'),
  };
  const print = (id: string): void => {
    try {
      streams.stdout.write(`${id}\n`);
    } catch (cause) {
      throw new NotPrinted('', { cause });
    }
  };
  // An id counts as given out only after it was printed or the command ended:
  // an id that nobody has seen stays free.
  const give = (server?: OnServer) =>
    giveNextId(
      bytesOf(operand),
      { ...options, ...server?.options },
      async (_, context) => {
        server?.begin();
        const { text: id, fd, fds } = context;
        if (command.length === 0) return print(id);
        const words = command.map((word) => word.replaceAll('{id}', id));
        const status = await runCommand(words, fd ?? null, {
          // Read only here: from then on, the paths of lock files are watched.
          ...(server && { ...server.running, end: context.signal }),
          environment: { HOLDFAST_ID: id },
          caller: streams.caller,
          otherLocks: fds.filter((each) => each !== fd),
        });
        if (server && context.signal.aborted) throw server.lost(context.signal.reason);
        if (status !== 0) throw new Failed(status);
      },
      acquiring(),
    );
  try {
    const url = value('locker');
    if (url === undefined) await give();
    else await (await import('./next-id-url.js')).giveOnUrl(url, command, give);
    return EXIT.ok;
  } catch (error) {
    if (error instanceof Failed) return error.status;
    if (error instanceof NotPrinted) throw error.cause;
    return refuse(error, [operand, ...others], values.has('quiet'), streams);
  }
}

/**
 * At the end, closes the lock and does not unlock it: a child that the command
 * has left in the background holds the lock while it has the descriptor.
 */
function acquiring(): (path: FilePath, options: FileLockOptions) => Promise<HeldLock> {
  const acquire = besideEachOther();
  return async (path, options) => {
    const request = { ...options, permissions: 0o666 };
    const lock = await acquire(checkRequest(path, request, Number.POSITIVE_INFINITY));
    const release = async (): Promise<void> => lock.detach();
    return Object.assign(
      { token: lock.token, fd: lock.fd, release, [Symbol.asyncDispose]: release },
      { isCurrent: () => lock.isCurrent() },
    );
  };
}

function patternOf(source: string | undefined): RegExp | undefined {
  if (source === undefined) return undefined;
  // Names of entries are decoded, so an escaped byte would never match.
  if (Buffer.from(source).toString() !== source)
    throw usageError('--pattern is not UTF-8', 'next-id');
  try {
    return new RegExp(source, 'u');
  } catch (error) {
    throw usageError(`--pattern: ${(error as Error).message}`, 'next-id');
  }
}

function numberOf(given: string | undefined, option: string): number | undefined {
  if (given === undefined) return undefined;
  if (/^\d+$/.test(given)) return Number(given);
  throw usageError(`${option} takes a number, not '${given}'`, 'next-id');
}

/** Reports a refusal and who holds the lock. Rethrows any other error as an {@link Exit}. */
function refuse(error: unknown, folders: string[], quiet: boolean, streams: Streams): number {
  const { path } = error as NodeJS.ErrnoException;
  // With a path, the options were right, but no id is left.
  const usedUp = path !== undefined;
  const code = exitCodeOf(error) === EXIT.usage && usedUp ? EXIT.data : exitCodeOf(error);
  if (error instanceof Exit || code === EXIT.software) throw error;
  if (code !== EXIT.refused) throw new Exit(code, messageOf(error));
  if (quiet) return code;
  const { holder } = error as { holder: Holder | null };
  const folder = folders.find((each) => resolve(each) === dirname(path ?? '')) ?? folders[0];
  say(streams, `no id given: the ids of ${folder} are held by ${describeHolder(holder)}`);
  return code;
}
