import { constants } from 'node:os';
import { basename } from 'node:path';
import { isLockError } from '../base/errors.js';
import type { Locker, LockView } from '../base/locker.js';
import { LONGEST_TIMER } from '../base/timers.js';
import { EXIT, Exit, exitCodeOf } from './exit-codes.js';
import type { LockUrl } from './lock-url.js';
import { adviceOn } from './url-advice.js';
import { wellFormed } from './words.js';

/** A {@link Locker} that has connections to a server. */
export interface ServerLocker extends Locker, AsyncDisposable {
  look(name: string): Promise<LockView>;
}

/** `command` is what others read as the command of this process. Connects at the first call. */
export async function openLocker(url: LockUrl, command: string): Promise<ServerLocker> {
  return url.engine === 'postgres'
    ? (await import('./url-postgres.js')).openPostgres(url, command)
    : (await import('./url-etcd.js')).openEtcd(url, command);
}

/** `node deploy.js`: the words of a command, the program without its folder. */
export function commandText([program = '', ...rest]: readonly string[]): string {
  return wellFormed([basename(program), ...rest].join(' '));
}

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Until the command runs, a signal first ends the wait: the server would hold
 * the place of a process that has died, and others would wait behind it.
 */
export class Interruption {
  readonly #controller = new AbortController();
  readonly #listen = (signal: NodeJS.Signals): void => {
    this.caught ??= signal;
    this.#controller.abort(new Exit(128 + constants.signals[signal], ''));
  };
  caught: NodeJS.Signals | undefined;

  constructor() {
    for (const each of ENDING) process.on(each, this.#listen);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The wait is over. Throws if a signal came meanwhile; the next one is not for this. */
  end(): void {
    for (const each of ENDING) process.removeListener(each, this.#listen);
    this.#controller.signal.throwIfAborted();
  }

  /** After clearing up: what the signal does without a listener. */
  raise(): void {
    for (const each of ENDING) process.removeListener(each, this.#listen);
    if (this.caught !== undefined) process.kill(process.pid, this.caught);
  }
}

/** Runs `use` with a locker of the URL. For its errors, see {@link failure}. */
export async function whileOpen<R>(
  url: LockUrl,
  command: string,
  use: (locker: ServerLocker, wait: Interruption) => Promise<R>,
): Promise<R> {
  const wait = new Interruption();
  // What is held does not keep the process alive, nor does a connection that ends.
  const alive = setInterval(() => {}, LONGEST_TIMER);
  let locker: ServerLocker | undefined;
  try {
    locker = await openLocker(url, command).catch((error: unknown) => {
      throw failure(error, url);
    });
    return await use(locker, wait);
  } finally {
    await locker?.[Symbol.asyncDispose]();
    clearInterval(alive);
    wait.raise();
  }
}

/** What the command says and exits with when the server, or the way to it, has failed. */
export function failure(error: unknown, url: LockUrl): Exit | Error {
  if (error instanceof Exit) return error;
  const { code } = error as { code?: unknown };
  const isArgument = /^ERR_(?:INVALID_ARG|OUT_OF_RANGE)/.test(String(code));
  const status = isLockError(error) || isArgument ? exitCodeOf(error) : EXIT.data;
  // Neither of the server nor of the network.
  const isMistake = error instanceof TypeError || error instanceof ReferenceError;
  if (isMistake && code === undefined) return error;
  return new Exit(status, describeFailure(error, url));
}

// What pg says if it has no password to answer with.
const NO_PASSWORD = /client password must be a (?:non-empty )?string/;

/** The message of the error, about the URL as it was typed, and what to do about it. */
export function describeFailure(error: unknown, url: LockUrl): string {
  const { typed, name } = url;
  const { message, errors, path } = error as Error & { errors?: Error[]; path?: string };
  // Of several addresses, only the errors of each have a text.
  const text = message === '' ? (errors?.[0]?.message ?? String(error)) : message;
  if (name !== '' && path === name && text.startsWith(name)) return typed + text.slice(name.length);
  if (url.engine === 'postgres' && NO_PASSWORD.test(text)) {
    return `${typed}: the server asks for a password; use PGPASSWORD or PGPASSFILE`;
  }
  return `${typed}: ${text}${adviceOn(error, text, url)}`;
}
