import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { systemError } from '../base/errors.js';
import { loadBinding, type NativeProgram } from '../native/binding.js';
import { type Caller, nonblockingStreams, UNKNOWN_CALLER } from './caller.js';
import { EXIT, Exit } from './exit-codes.js';
import { inForeground } from './foreground.js';
import { bytesOf } from './words.js';

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;
const GRACE_MILLISECONDS = 5000;
const FIRST_FREE = 3;

export interface CommandOptions {
  /** What is added to the environment. */
  environment?: Readonly<Record<string, string>>;
  /** When it is aborted, the command is ended: SIGTERM, after five seconds SIGKILL. */
  end?: AbortSignal;
  /** What the command inherits. Without it this process is not the command's alone. */
  caller?: Caller | undefined;
}

/** A command that runs. */
interface Running {
  kill(signal: NodeJS.Signals): void;
}

/**
 * The one way in which a command runs under a lock. It inherits what the caller
 * gave this process and, at the lowest number that is free then, `lock`, unless
 * that is `null`. Resolves to what a shell would make of its end: its exit
 * status, or 128+N. Signals are passed on; in the foreground of a terminal,
 * those of the keyboard have reached the command already.
 */
export async function runCommand(
  command: readonly string[],
  lock: number | null,
  { environment = {}, end, caller }: CommandOptions = {},
): Promise<number> {
  let running: Running | undefined;
  const forward = (signal: NodeJS.Signals): void => {
    const fromKeyboard = signal === 'SIGINT' || signal === 'SIGQUIT';
    if (!(fromKeyboard && inForeground())) running?.kill(signal);
  };
  // Before the command can run: it may send one as the first thing it does.
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
      start(programOf(command, lock, environment, caller), resolve, reject)
        .then((started) => {
          running = started;
          // The channel to a parent is the command's from here on: two who read
          // from it would each get a part of the messages.
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
    // What this process ends with is decided by the command. Whoever signals
    // both may reach this one too late, and must not change it.
    const isDecided = hasRun && caller !== undefined;
    if (!isDecided) for (const signal of FORWARDED) process.removeListener(signal, forward);
  }
}

/** The program that `command` is, and what it inherits. */
export function programOf(
  command: readonly string[],
  lock: number | null,
  environment: Readonly<Record<string, string>> = {},
  caller: Caller = UNKNOWN_CALLER,
): NativeProgram {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const kept = new Set(caller.descriptors);
  let number = FIRST_FREE;
  while (kept.has(number)) number++;
  const isLocked = lock !== null && lock !== -1;
  return {
    arguments: command.map(bytesOf),
    added: [...caller.removed, ...variables],
    kept: caller.descriptors,
    lock: isLocked ? lock : -1,
    lockNumber: isLocked ? number : -1,
    ignored: caller.ignored,
    blocked: caller.blocked,
    mostFiles: caller.mostFiles,
    // Only what was made so here: a stream that was opened may be.
    blockingStreams: nonblockingStreams() & ~caller.nonblocking,
  };
}

type Start = (
  program: NativeProgram,
  ended: (status: number) => void,
  failed: (error: unknown) => void,
) => Promise<Running>;

/** By the addon, which leaves the caller's descriptors, words and signals as they are. */
const startHere: Start = async (program, ended) => {
  const [file = ''] = program.arguments;
  let pid = loadBinding(String(file)).spawn(program, (exited, status) => {
    pid = 0;
    ended(exited ? status : 128 + status);
  });
  if (pid < 0) throw systemError(-pid, 'spawn', String(file));
  return {
    kill: (signal) => {
      try {
        if (pid > 0) process.kill(pid, signal);
      } catch {
        // It has become another user's: sudo(8) and its like.
      }
    },
  };
};

/** By Node, where the addon does not start programs: without other descriptors than the lock's. */
const startElsewhere: Start = async (program, ended, failed) => {
  const { spawn } = await import('node:child_process');
  const [file = '', ...rest] = program.arguments.map(String);
  const added = program.added.map((each): [string, string] => {
    const at = each.indexOf('=');
    return [each.slice(0, at), each.slice(at + 1)];
  });
  const child = spawn(file, rest, {
    stdio: ['inherit', 'inherit', 'inherit', ...(program.lock === -1 ? [] : [program.lock])],
    env: { ...process.env, ...Object.fromEntries(added) },
  });
  child.once('error', failed);
  child.once('exit', (code, signal) => {
    ended(code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 0));
  });
  return { kill: (signal) => void child.kill(signal) };
};

const REASONS: ReadonlyMap<unknown, string> = new Map([
  ['ENOENT', 'there is no such command'],
  ['ENOTDIR', 'there is no such command'],
  ['ELOOP', 'it is a symbolic link to itself'],
  ['ETXTBSY', 'another process has it open for writing'],
  ['EACCES', 'permission to execute it is missing'],
  ['E2BIG', 'its arguments are too long'],
  ['EAGAIN', 'this user has too many processes (ulimit -u)'],
  ['ENOMEM', 'there is not enough memory'],
]);

/** The error for a command that cannot be run. */
export function cannotRun(file: string, error: unknown): Exit {
  if (file === '') return new Exit(EXIT.unavailable, 'cannot run a command without a name');
  const { code, message } = error as NodeJS.ErrnoException;
  const isThere = code === 'ENOENT' && file.includes('/') && existsSync(bytesOf(file));
  const reason = isThere ? 'the interpreter that it names is missing' : REASONS.get(code);
  return new Exit(EXIT.unavailable, `cannot run ${file}: ${reason ?? message}${hintFor(file)}`);
}

/** What was probably meant. */
function hintFor(file: string): string {
  if (file.startsWith('-')) return '; options go before FILE or DIR';
  return /\s/.test(file) && !file.includes('/') ? '; for a line of shell use -c' : '';
}
