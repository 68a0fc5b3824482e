import type { ClientConfig } from 'pg';
import { argumentError, NOT_EMPTY } from '../../base/argument-errors.js';
import { checkInteger, checkOptions, optionNames } from '../../base/arguments.js';
import type { Locker, LockerOptions, LockView } from '../../base/locker.js';
import { thisProcess } from '../this-process.js';
import { Engine } from './engine.js';
import type { PostgresLock } from './lock.js';

export interface PostgresLockerOptions {
  /**
   * A URL (`postgres:///app`) or a configuration of `pg`, with what the
   * environment adds (`PGHOST`, `PGPASSWORD`, …). Directly to the primary, not
   * through a pooler. The locks are those of its database.
   */
  connect: string | ClientConfig;
  /**
   * How long the server waits for a silent client until it frees its locks, in
   * milliseconds, 3000 to 3600000. Default 30000. The client asks every sixth
   * of it, and treats the locks as lost after a sixth without an answer.
   */
  loss?: number | undefined;
  /**
   * How many locks this locker may hold and wait for. Default 1000. The server
   * has room for `max_locks_per_transaction` × `max_connections`, for everybody.
   */
  maxLocks?: number | undefined;
  /**
   * How many sessions beside the first may wait, or hold what they waited for.
   * Default 20. A caller beyond that polls every second.
   */
  maxWaits?: number | undefined;
  /**
   * What others read as this process's command, in `pg_stat_activity` too.
   * Default: the command line.
   */
  command?: string | undefined;
}

/** A {@link Locker} on the advisory locks of a PostgreSQL database. */
export interface PostgresLocker extends Locker, AsyncDisposable {
  /**
   * Connects first, if that has not been done. Errors of the server and of the
   * connection come through unchanged (`28P01`, `ECONNREFUSED`). Rejects with
   * `ERR_LOCK_UNSUPPORTED` where the server cannot be used, and says what to do;
   * with `ERR_LOCK_STATE` beyond `maxLocks` and after the disposal.
   *
   * A wait goes on when the server is restarted: it tries each second until its
   * deadline, and then rejects with the error of the connection. A server that
   * is silent is waited for at most 2 s longer than `timeout`.
   */
  acquire(name: string, options?: LockerOptions): Promise<PostgresLock>;
  /**
   * Of other roles, only what their `application_name` says. Without those that
   * wait in this process behind another of its callers, or beyond `maxWaits`.
   */
  look(name: string): Promise<LockView>;
  /** Ends its connections: what it still holds is lost, and waits reject with `ERR_LOCK_STATE`. */
  [Symbol.asyncDispose](): Promise<void>;
}

const OPTIONS = optionNames<PostgresLockerOptions>({
  connect: true,
  loss: true,
  maxLocks: true,
  maxWaits: true,
  command: true,
});

const SHORTEST_LOSS = 3000;
const LONGEST_LOSS = 3_600_000;

/**
 * Locks that a PostgreSQL server grants: at most one exclusive holder a name
 * and database, while the server is one primary. The server frees them when the
 * process ends, and after `loss` when its host vanishes. Needs the package `pg`.
 *
 * Does not connect before the first call, and never shares a pool with the
 * program. What is held does not keep the process alive, a wait does.
 */
export function postgresLocker(options: PostgresLockerOptions): PostgresLocker {
  const given = checkOptions(options, OPTIONS);
  const { connect, loss = 30_000, maxLocks = 1000, maxWaits = 20, command } = given;
  if (command !== undefined && typeof command !== 'string') {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'options.command', 'a string', command);
  }
  const engine = new Engine({
    connect: checkConnect(connect),
    loss: checkInteger(loss, 'options.loss', SHORTEST_LOSS, LONGEST_LOSS),
    maxLocks: checkInteger(maxLocks, 'options.maxLocks', 1, 1_000_000),
    maxWaits: checkInteger(maxWaits, 'options.maxWaits', 0, 10_000),
    me: thisProcess(command),
  });
  return {
    acquire: (name, acquireOptions) => engine.acquire(name, acquireOptions),
    look: (name) => engine.look(name),
    [Symbol.asyncDispose]: () => engine.dispose(),
  };
}

// Also a folder of sockets, as pg takes it. Of anything else pg makes the host "base".
const CONNECT = /^(?:[a-z][\w+.-]*:\/\/|socket:|\/)/i;

function checkConnect(connect: unknown): string | ClientConfig {
  if (connect === '') {
    throw argumentError('ERR_INVALID_ARG_VALUE', 'options.connect', NOT_EMPTY, connect);
  }
  if (typeof connect === 'string' && !CONNECT.test(connect)) {
    const rule = 'a URL such as postgres://host/database';
    throw argumentError('ERR_INVALID_ARG_VALUE', 'options.connect', rule, 'another string');
  }
  const isObject = typeof connect === 'object' && connect !== null && !Array.isArray(connect);
  if (typeof connect === 'string' || isObject) return connect as string | ClientConfig;
  const rule = 'a URL or a configuration of pg';
  // Not the value: it may have a password.
  throw argumentError('ERR_INVALID_ARG_TYPE', 'options.connect', rule, typeof connect);
}
