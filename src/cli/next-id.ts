import { FileLock, type HeldLock, type Locker } from '../file-lock.js';
import { describeHolder, type Holder } from '../holder.js';
import { withNextId } from '../next-id.js';
import { runCommand } from './command.js';
import { EXIT, Exit, exitCodeOf, usageError } from './exit-codes.js';
import { parseLeading } from './leading-options.js';
import { type Streams, say } from './streams.js';
import { parseTime } from './time.js';

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const OPTIONS = {
  pattern: text,
  timeout: { ...text, short: 'w' },
  reuse: flag,
  start: text,
  'lock-name': text,
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
  const start = value('start');
  const lockName = value('lock-name');
  const options = {
    pattern: patternOf(value('pattern')),
    timeout: timeout === undefined ? undefined : parseTime(timeout, '--timeout', 'next-id'),
    start: start === undefined ? undefined : numberOf(start),
    reuse: values.has('reuse'),
    lockName,
    locker,
  };
  try {
    const { id } = await withNextId(operand, options, async (given, { fd }) => {
      if (command.length === 0) return;
      const words = command.map((word) => word.replaceAll('{id}', String(given)));
      const environment = { HOLDFAST_ID: String(given) };
      const status = await runCommand(words, fd ?? null, { environment, caller: streams.caller });
      if (status !== 0) throw new Failed(status);
    });
    if (command.length === 0) streams.stdout.write(`${id}\n`);
    return EXIT.ok;
  } catch (error) {
    if (error instanceof Failed) return error.status;
    return refused(error, operand, streams);
  }
}

/**
 * Closed at the end and not unlocked: a child that the command left behind in
 * the background holds the lock as long as it has the descriptor.
 */
const locker: Locker = {
  async acquire(path, options): Promise<HeldLock> {
    const lock = await FileLock.acquire(path, { ...options, permissions: 0o666 });
    const release = async (): Promise<void> => lock.detach();
    return Object.assign(
      { token: lock.token, fd: lock.fd, release, [Symbol.asyncDispose]: release },
      { isCurrent: () => lock.isCurrent() },
    );
  },
};

function patternOf(source: string | undefined): RegExp | undefined {
  if (source === undefined) return undefined;
  try {
    return new RegExp(source, 'u');
  } catch (error) {
    throw usageError(`--pattern: ${(error as Error).message}`, 'next-id');
  }
}

function numberOf(given: string): number {
  if (/^\d+$/.test(given)) return Number(given);
  throw usageError(`--start takes a number, not '${given}'`, 'next-id');
}

function refused(error: unknown, directory: string, streams: Streams): number {
  // The words were right, there is no id left.
  const usedUp = (error as NodeJS.ErrnoException).path !== undefined;
  const code = exitCodeOf(error) === EXIT.usage && usedUp ? EXIT.data : exitCodeOf(error);
  if (error instanceof Exit || code === EXIT.software) throw error;
  if (code !== EXIT.refused) throw new Exit(code, (error as Error).message);
  const { holder } = error as { holder: Holder | null };
  say(streams, `no id given: the ids of ${directory} are held by ${describeHolder(holder)}`);
  return code;
}
