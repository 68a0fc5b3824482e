import type { ForkOptions } from 'node:child_process';
import pg from 'pg';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { keyOf } from '../../src/engines/postgres/key.js';
import type { Holder } from '../../src/index.js';
import {
  type PostgresLock,
  type PostgresLocker,
  type PostgresLockerOptions,
  postgresLocker,
} from '../../src/postgres.js';
import { PostgresServer, postgresPrograms } from './postgres-server.js';
import { forked, Remote } from './remote.js';

type Settings = Record<string, string>;

/** A server for all tests of a file; where there is none, `needs('postgres')` skips them. */
export function postgresOfFile(settings: Settings = {}): () => PostgresServer {
  let server: PostgresServer | undefined;
  beforeAll(async () => {
    if (postgresPrograms() !== null) server = await PostgresServer.start(settings);
  });
  afterAll(() => server?.remove());
  return () => server as PostgresServer;
}

/** Disposed with the test. */
export function lockerOf(
  connect: PostgresLockerOptions['connect'],
  options: Omit<PostgresLockerOptions, 'connect'> = {},
): PostgresLocker {
  const locker = postgresLocker({ connect, ...options });
  onTestFinished(() => locker[Symbol.asyncDispose]());
  return locker;
}

/** A session without Holdfast, which ends with the test. */
export async function rival(server: PostgresServer): Promise<pg.Client> {
  const client = new pg.Client({ ...server.local, application_name: 'rival' });
  client.on('error', () => {});
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

export const lockSql = (name: string): string => `SELECT pg_advisory_lock(${keyOf(name).text})`;
export const tryLockSql = (name: string): string =>
  `SELECT pg_try_advisory_lock(${keyOf(name).text}) AS granted`;
export const unlockSql = (name: string): string => `SELECT pg_advisory_unlock(${keyOf(name).text})`;

/** How many sessions wait for a lock. */
export async function waiters(server: PostgresServer): Promise<number> {
  return server.lockCount(false);
}

/** The sessions of the server whose client is this process, the oldest first. */
export async function backends(server: PostgresServer, pid = process.pid): Promise<number[]> {
  const rows = await server.sql(
    `SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'holdfast ${pid}@%' ORDER BY backend_start`,
  );
  return rows.map((row) => row['pid'] as number);
}

/** The session that holds a lock. Others of this process may be dead and not yet gone. */
export async function backendOf(server: PostgresServer, name: string): Promise<number> {
  const { high, low } = keyOf(name);
  const [row] = await server.sql(
    `SELECT pid FROM pg_locks WHERE granted AND classid = ${high} AND objid = ${low} AND locktype = 'advisory'`,
  );
  return row?.['pid'] as number;
}

let count = 0;

/** A name that no other test has. */
export function lockName(): string {
  return `lock ${process.pid} ${++count}`;
}

export interface RemoteGrant {
  token: number;
  fd: number;
}

/** A real process that uses locks of a server as the test asks. Runs `dist/`. */
export class PostgresPeer extends Remote {
  static async start(
    options: PostgresLockerOptions,
    forkOptions: ForkOptions = {},
  ): Promise<PostgresPeer> {
    const peer = new PostgresPeer(forked('./postgres-peer.mjs', forkOptions));
    await peer.event('ready');
    await peer.call('open', options);
    return peer;
  }

  acquire(name: string, options?: object): Promise<RemoteGrant> {
    return this.call('acquire', name, options);
  }

  /** Starts to acquire, and resolves once it has to wait. */
  waitFor(
    name: string,
    options?: object,
  ): Promise<{ granted: Promise<RemoteGrant>; holder: Holder | null }> {
    return this.waiting(this.acquire(name, options), name);
  }

  release(name: string): Promise<void> {
    return this.call('release', name);
  }
}

/** Milliseconds until the loss is reported. */
export function lost(lock: PostgresLock, within = 5000): Promise<number> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no loss was heard')), within);
    lock.signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve(performance.now() - began);
    });
  });
}

export async function expectLost(lock: PostgresLock): Promise<void> {
  expect(lock.isCurrent()).toBe(false);
  expect(lock.fd).toBe(-1);
  const loss = { name: 'LockLostError', code: 'ERR_LOCK_LOST', path: lock.name };
  expect(lock.signal.reason).toMatchObject(loss);
  await expect(lock.check()).rejects.toMatchObject(loss);
  await expect(lock.release()).rejects.toMatchObject(loss);
  await expect(lock[Symbol.asyncDispose]()).rejects.toMatchObject(loss);
  lock.detach();
}
