import { dirname, resolve } from 'node:path';
import { describeHolder, type Holder } from '../base/holder.js';
import type { HeldLock } from '../base/locker.js';
import type { FilePath } from '../base/paths.js';
import type { FileLockOptions } from '../lock/options.js';
import { acquireFile, giveNextId } from '../next-id/next-id.js';
import type { Caller } from './caller.js';
import { runCommand } from './command.js';
import { EXIT, Exit, exitCodeOf, messageOf, usageError } from './exit-codes.js';
import { parseLeading } from './leading-options.js';
import { type Streams, say } from './streams.js';
import { parseTime } from './time.js';
import { bytesOf } from './words.js';

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const OPTIONS = {
  pattern: text,
  with: { ...text, multiple: true },
  pad: text,
  timeout: { ...text, short: 'w' },
  reuse: flag,
  start: text,
  'lock-name': text,
  quiet: { ...flag, short: 'q' },
  help: { ...flag, short: 'h' },
} as const;

/** The command has failed; the id has not been given out. */
class Failed extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`the command exited with ${status}`);
    this.status = status;
  }
}

/** The number could not be printed; it has not been given out. */
class NotPrinted extends Error {}

/** `holdfast next-id`. */
export async function nextId(argv: string[], streams: Streams): Promise<number> {
  const { values, operand, command } = parseLeading(argv, OPTIONS, 'next-id');
  if (values.has('help')) {
    streams.stdout.write((await import('./help.js')).NEXT_ID_HELP);
    return EXIT.ok;
  }
  if (operand === undefined || operand === '') throw usageError('DIR is missing', 'next-id');
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
  try {
    // Printed or used before it counts as given out: what nobody saw is free.
    await giveNextId(
      bytesOf(operand),
      options,
      async (_, { text: id, fd, fds }) => {
        if (command.length === 0) return print(id);
        const words = command.map((word) => word.replaceAll('{id}', id));
        const environment = { HOLDFAST_ID: id };
        const caller = withLocks(
          streams.caller,
          fds.filter((each) => each !== fd),
        );
        const status = await runCommand(words, fd ?? null, { environment, caller });
        if (status !== 0) throw new Failed(status);
      },
      acquire,
    );
    return EXIT.ok;
  } catch (error) {
    if (error instanceof Failed) return error.status;
    if (error instanceof NotPrinted) throw error.cause;
    return refused(error, [operand, ...others], values.has('quiet'), streams);
  }
}

/** The command inherits the locks as well, under their own numbers. */
function withLocks(caller: Caller | undefined, locks: number[]): Caller | undefined {
  return caller && { ...caller, descriptors: [...caller.descriptors, ...locks] };
}

/**
 * Closed at the end and not unlocked: a child that the command left behind in
 * the background holds the lock as long as it has the descriptor.
 */
async function acquire(path: FilePath, options: FileLockOptions): Promise<HeldLock> {
  const lock = await acquireFile(path, { ...options, permissions: 0o666 });
  const release = async (): Promise<void> => lock.detach();
  return Object.assign(
    { token: lock.token, fd: lock.fd, release, [Symbol.asyncDispose]: release },
    { isCurrent: () => lock.isCurrent() },
  );
}

function patternOf(source: string | undefined): RegExp | undefined {
  if (source === undefined) return undefined;
  // Names are decoded, so half a character would never be found in them.
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

function refused(error: unknown, folders: string[], quiet: boolean, streams: Streams): number {
  const { path } = error as NodeJS.ErrnoException;
  // The words were right, there is no id left.
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
