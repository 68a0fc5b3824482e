import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import { EXIT, Exit } from './exit-codes.js';

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;
const GRACE_MILLISECONDS = 5000;

export interface CommandOptions {
  env?: NodeJS.ProcessEnv;
  /** When it is aborted, the command is ended: SIGTERM, after five seconds SIGKILL. */
  end?: AbortSignal;
  /** Called while signals are still passed on. */
  onExit?: ((status: number, signals: readonly NodeJS.Signals[]) => void) | undefined;
}

/**
 * Runs a command with the standard streams of this process and, behind them,
 * `fd`, unless there is none. Resolves to what a shell would make of its end:
 * its exit status, or 128+N. Signals are passed on; in the foreground of a
 * terminal, those of the keyboard have reached the command already.
 */
export function runCommand(
  command: string[],
  fd: number | null,
  { env, end, onExit }: CommandOptions = {},
): Promise<number> {
  const [file = '', ...args] = command;
  return new Promise((resolve, reject) => {
    let child: ChildProcess | undefined;
    const forward = (signal: NodeJS.Signals): void => {
      const fromKeyboard = signal === 'SIGINT' || signal === 'SIGQUIT';
      if (!(fromKeyboard && inForeground())) child?.kill(signal);
    };
    // Before the command can run: it may send one as the first thing it does.
    for (const signal of FORWARDED) process.on(signal, forward);
    let grace: NodeJS.Timeout | undefined;
    const onEnd = (): void => {
      child?.kill('SIGTERM');
      grace ??= setTimeout(() => child?.kill('SIGKILL'), GRACE_MILLISECONDS);
    };
    const stop = (): void => {
      for (const signal of FORWARDED) process.removeListener(signal, forward);
      end?.removeEventListener('abort', onEnd);
      clearTimeout(grace);
    };
    const onError = (error: unknown): void => {
      stop();
      reject(cannotRun(file, error));
    };
    try {
      child = spawn(file, args, {
        stdio: ['inherit', 'inherit', 'inherit', ...(fd === null || fd === -1 ? [] : [fd])],
        ...(env !== undefined && { env }),
      });
    } catch (error) {
      onError(error);
      return;
    }
    child.once('error', onError);
    end?.addEventListener('abort', onEnd);
    if (end?.aborted === true) onEnd();
    child.once('exit', (code, signal) => {
      // Node has no name, and so no number, for a real-time signal.
      const number = constants.signals[signal ?? 'SIGKILL'] ?? 0;
      const status = code ?? 128 + number;
      onExit?.(status, FORWARDED);
      stop();
      resolve(status);
    });
  });
}

/** The command to run cannot be run. */
export function cannotRun(file: string, error: unknown): Exit {
  const { code } = error as NodeJS.ErrnoException;
  if (file === '') return new Exit(EXIT.unavailable, 'cannot run a command without a name');
  const reasons: Record<string, string> = {
    ENOENT: 'there is no such command',
    ENOTDIR: 'there is no such command',
    ELOOP: 'it is a symbolic link to itself',
    ETXTBSY: 'somebody has it open for writing',
    EACCES: 'it may not be executed',
    E2BIG: 'its arguments are too long',
  };
  const reason = reasons[code ?? ''] ?? (error as Error).message;
  return new Exit(EXIT.unavailable, `cannot run ${file}: ${reason}`);
}

/** Whether the keyboard's signals go to this process group: proc_pid_stat(5). */
function inForeground(): boolean {
  try {
    const stat = readFileSync('/proc/self/stat', 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[2] === fields[5];
  } catch {
    // No /proc: most that have a terminal are in the foreground.
    return isatty(0);
  }
}
