import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { basename } from 'node:path';
import { isLockError } from '../base/errors.js';
import type { Locker, LockView } from '../base/locker.js';
import { EXIT, Exit, exitCodeOf } from './exit-codes.js';
import type { EtcdUrl, LockUrl } from './lock-url.js';
import { wellFormed } from './words.js';

/** A {@link Locker} that has connections to a server. */
export interface ServerLocker extends Locker, AsyncDisposable {
  look(name: string): Promise<LockView>;
}

/** `command` is what others read as the command of this process. Connects at the first call. */
export async function openLocker(url: LockUrl, command: string): Promise<ServerLocker> {
  if (url.engine === 'postgres') {
    const { postgresLocker } = await import('../engines/postgres/locker.js');
    const { connect, loss } = url;
    return postgresLocker({ connect, loss, command });
  }
  const { etcdLocker } = await import('../engines/etcd/locker.js');
  const { ttl } = url;
  return etcdLocker({ ...endpointsOf(url), ...credentials(), ttl, command });
}

/** `node deploy.js`: the words of a command, the program without its folder. */
export function commandText([program = '', ...rest]: readonly string[]): string {
  return wellFormed([basename(program), ...rest].join(' '));
}

function given(variable: string): string | undefined {
  const value = process.env[variable];
  return value === '' ? undefined : value;
}

const DEFAULT_ENDPOINT = '127.0.0.1:2379';

function endpointsOf({ endpoints, isSecure }: EtcdUrl): { endpoints: string[]; tls?: object } {
  const ofEnvironment = (given('ETCDCTL_ENDPOINTS') ?? DEFAULT_ENDPOINT).split(',');
  const all = endpoints.length === 0 ? ofEnvironment : [...endpoints];
  if (!isSecure) return { endpoints: all };
  const files = { ca: 'ETCDCTL_CACERT', cert: 'ETCDCTL_CERT', key: 'ETCDCTL_KEY' };
  const tls: Record<string, Buffer> = {};
  for (const [option, variable] of Object.entries(files)) {
    const file = given(variable);
    if (file !== undefined) tls[option] = read(file, variable);
  }
  return { endpoints: all, tls };
}

function read(file: string, variable: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Exit(EXIT.data, `cannot read the file of ${variable}: ${(error as Error).message}`);
  }
}

/** As etcdctl reads them. */
function credentials(): { user?: string; password?: string } {
  const text = given('ETCDCTL_USER');
  if (text === undefined) return {};
  const at = text.indexOf(':');
  const password = at < 0 ? given('ETCDCTL_PASSWORD') : text.slice(at + 1);
  if (password !== undefined) return { user: at < 0 ? text : text.slice(0, at), password };
  throw new Exit(EXIT.usage, 'ETCDCTL_USER has no password; use NAME:PASSWORD, or ETCDCTL_PASSWORD');
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

/** Runs `use` with a locker of the URL. Rejects with an {@link Exit}. */
export async function whileOpen<R>(
  url: LockUrl,
  command: string,
  use: (locker: ServerLocker, wait: Interruption) => Promise<R>,
): Promise<R> {
  const wait = new Interruption();
  let locker: ServerLocker | undefined;
  try {
    locker = await openLocker(url, command);
    return await use(locker, wait);
  } catch (error) {
    throw failure(error, url);
  } finally {
    await locker?.[Symbol.asyncDispose]();
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

/** The message of the error, about the URL as it was typed. */
export function describeFailure(error: unknown, { typed, name, engine }: LockUrl): string {
  const { message, errors, path } = error as Error & { errors?: Error[]; path?: string };
  // Of several addresses, only the errors of each have a text.
  const text = message === '' ? (errors?.[0]?.message ?? String(error)) : message;
  if (name !== '' && path === name && text.startsWith(name)) return typed + text.slice(name.length);
  if (engine === 'postgres' && NO_PASSWORD.test(text)) {
    return `${typed}: the server asks for a password; use PGPASSWORD or PGPASSFILE`;
  }
  return `${typed}: ${text}`;
}
