import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { systemError } from '../base/errors.js';
import type { NativeProgram } from '../native/binding.js';
import { loadBinding } from '../native/load.js';
import { type Caller, nonblockingStreams, openFilesLimit, UNKNOWN_CALLER } from './caller.js';
import { EXIT, Exit } from './exit-codes.js';
import { inForeground } from './foreground.js';
import { bytesOf } from './words.js';

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;
const GRACE_MILLISECONDS = 5000;
const FIRST_FREE = 3;
// Below even a low limit of open files, such as 256 on macOS.
const HIGHEST_FREE = process.platform === 'linux' ? 1000 : 250;
// Where bash keeps the script that it reads.
const SCRIPT_OF_BASH = 255;

/** What a command inherits that keeps its lock, and how it ends. */
export interface Inheritance {
  /**
   * Descriptors of further locks. The command gets them under their numbers in
   * this process, which the caller cannot use: its own are open here as well.
   */
  otherLocks?: readonly number[] | undefined;
  /**
   * `lock` is the socket of a session, and gets a high number. At a low one, a
   * script that writes to a descriptor it has not opened would end the session.
   */
  isSocket?: boolean;
  /**
   * The kernel kills the command when this process ends, in whatever way. On
   * Linux only; see {@link NativeProgram.endWithParent}.
   */
  endWithParent?: boolean;
}

export interface CommandOptions extends Inheritance {
  /** Variables to add to the environment. */
  environment?: Readonly<Record<string, string>>;
  /** Called once, as soon as it runs. */
  onStart?: ((pid: number) => void) | undefined;
  /** Aborting it ends the command: SIGTERM, and after five seconds SIGKILL. */
  end?: AbortSignal | undefined;
  /** What the command inherits. Left out if this process does other things as well. */
  caller?: Caller | undefined;
}

/** A running command. */
interface Running {
  pid: number;
  kill(signal: NodeJS.Signals): void;
}

/**
 * Runs a command under a lock. The command inherits what this process has
 * inherited from its caller and, unless it is `null`, the descriptor `lock`, at
 * the lowest number that is then free, or a socket at a high one. Resolves to the exit status as a shell
 * reports it: the status of the command, or 128+N. Signals are passed on, except
 * those of the keyboard in the foreground of a terminal, which the command gets
 * from the terminal itself.
 */
export async function runCommand(
  command: readonly string[],
  lock: number | null,
  { environment = {}, onStart, end, caller, ...inheritance }: CommandOptions = {},
): Promise<number> {
  let running: Running | undefined;
  const forward = (signal: NodeJS.Signals): void => {
    const fromKeyboard = signal === 'SIGINT' || signal === 'SIGQUIT';
    if (!(fromKeyboard && inForeground())) running?.kill(signal);
  };
  // Listen before the command starts: it may send a signal at once.
  for (const signal of FORWARDED) process.on(signal, forward);
  let grace: NodeJS.Timeout | undefined;
  const onEnd = (): void => {
    running?.kill('SIGTERM');
    grace ??= setTimeout(() => running?.kill('SIGKILL'), GRACE_MILLISECONDS);
  };
  let hasRun = false;
  try {
    const ended = new Promise<number>((resolve, reject) => {
      const start = process.platform === 'linux' ? startHere : startElsewhere;
      start(programOf(command, lock, environment, caller, inheritance), resolve, reject)
        .then((started) => {
          running = started;
          onStart?.(started.pid);
          // From now on the command uses the channel to the parent. Two readers
          // would each get only some of the messages.
          if ((caller?.removed.length ?? 0) > 0) process.disconnect?.();
          end?.addEventListener('abort', onEnd);
          if (end?.aborted === true) onEnd();
        })
        .catch(reject);
    });
    const status = await ended;
    hasRun = true;
    return status;
  } catch (error) {
    throw cannotRun(command[0] ?? '', error);
  } finally {
    running = undefined;
    end?.removeEventListener('abort', onEnd);
    clearTimeout(grace);
    // The command has decided the exit status of this process. A signal to both
    // may arrive here late, and must not change the status.
    const isDecided = hasRun && caller !== undefined;
    if (!isDecided) for (const signal of FORWARDED) process.removeListener(signal, forward);
  }
}

/** What to start for `command`, and what it inherits. */
export function programOf(
  command: readonly string[],
  lock: number | null,
  environment: Readonly<Record<string, string>> = {},
  caller: Caller = UNKNOWN_CALLER,
  { isSocket = false, endWithParent = false, otherLocks = [] }: Inheritance = {},
): NativeProgram {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const kept = [...caller.descriptors, ...otherLocks.filter((each) => each !== -1)];
  const number = isSocket ? highNumber(kept, openFilesLimit(caller)) : lowNumber(kept);
  const isLocked = lock !== null && lock !== -1;
  return {
    arguments: command.map(bytesOf),
    added: [...caller.removed, ...variables],
    kept,
    lock: isLocked ? lock : -1,
    lockNumber: isLocked ? number : -1,
    ignored: caller.ignored,
    blocked: caller.blocked,
    mostFiles: caller.mostFiles,
    // Only streams that became non-blocking here: opening a stream may do that.
    blockingStreams: nonblockingStreams() & ~caller.nonblocking,
    endWithParent,
  };
}

function lowNumber(taken: readonly number[]): number {
  let number = FIRST_FREE;
  while (taken.includes(number)) number++;
  return number;
}

/**
 * The highest free number of a descriptor below `limit` that programs do not
 * use by convention.
 */
export function highNumber(taken: readonly number[], limit: number): number {
  const isFree = (number: number): boolean => number !== SCRIPT_OF_BASH && !taken.includes(number);
  let number = Math.min(HIGHEST_FREE, limit - 1);
  while (number > FIRST_FREE && !isFree(number)) number--;
  // With so low a limit, the command can hardly start.
  return number > FIRST_FREE ? number : lowNumber(taken);
}

type Start = (
  program: NativeProgram,
  ended: (status: number) => void,
  failed: (error: unknown) => void,
) => Promise<Running>;

/** Starts it by the addon, which preserves the caller's descriptors, words and signals. */
const startHere: Start = async (program, ended) => {
  const [file = ''] = program.arguments;
  let pid = loadBinding(String(file)).spawn(program, (exited, status) => {
    pid = 0;
    ended(exited ? status : 128 + status);
  });
  if (pid < 0) throw systemError(-pid, 'spawn', String(file));
  return {
    pid,
    kill: (signal) => {
      try {
        if (pid > 0) process.kill(pid, signal);
      } catch {
        // It now belongs to another user, as after sudo(8).
      }
    },
  };
};

/**
 * Starts it through Node, where the addon cannot start programs. It inherits no
 * descriptors but those of the locks.
 */
const startElsewhere: Start = async (program, ended, failed) => {
  const { spawn } = await import('node:child_process');
  const [file = '', ...rest] = program.arguments.map(String);
  const added = program.added.map((each): [string, string] => {
    const at = each.indexOf('=');
    return [each.slice(0, at), each.slice(at + 1)];
  });
  const child = spawn(file, rest, {
    stdio: ['inherit', 'inherit', 'inherit', ...inheritedLocks(program)],
    env: { ...process.env, ...Object.fromEntries(added) },
  });
  child.once('error', failed);
  child.once('exit', (code, signal) => {
    ended(code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 0));
  });
  return { pid: child.pid ?? 0, kill: (signal) => void child.kill(signal) };
};

/** From number 3 on. Those that are ignored are not open in the command. */
function inheritedLocks({ lock, lockNumber, kept }: NativeProgram): ('ignore' | number)[] {
  const numbers = new Map(kept.map((number) => [number, number]));
  if (lock !== -1) numbers.set(lockNumber, lock);
  const count = Math.max(FIRST_FREE - 1, ...numbers.keys()) + 1 - FIRST_FREE;
  return Array.from({ length: count }, (_, at) => numbers.get(at + FIRST_FREE) ?? 'ignore');
}

const REASONS: ReadonlyMap<unknown, string> = new Map([
  ['ENOENT', 'command not found'],
  ['ENOTDIR', 'command not found'],
  ['ELOOP', 'its symbolic links form a loop'],
  ['ETXTBSY', 'another process has it open for writing'],
  ['EACCES', 'no permission to execute it'],
  ['E2BIG', 'its arguments are too long'],
  ['EAGAIN', 'this user has too many processes (ulimit -u)'],
  ['ENOMEM', 'not enough memory'],
]);

/** The error for a command that cannot be started. */
export function cannotRun(file: string, error: unknown): Exit {
  if (file === '') return new Exit(EXIT.unavailable, 'cannot run COMMAND: its name is empty');
  const { code, message } = error as NodeJS.ErrnoException;
  const isThere = code === 'ENOENT' && file.includes('/') && existsSync(bytesOf(file));
  const reason = isThere ? 'its interpreter does not exist' : REASONS.get(code);
  return new Exit(EXIT.unavailable, `cannot run ${file}: ${reason ?? message}${hintFor(file)}`);
}

/** A hint on the probable mistake. */
function hintFor(file: string): string {
  if (file.startsWith('-')) return '; options go before FILE or DIR';
  return /\s/.test(file) && !file.includes('/') ? '; use -c to run a shell command line' : '';
}
