import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { ClaimConflictError, type ClaimStatus, Claims } from '../../src/claims.js';
import { testFolder } from './folder.js';
import { errorOf } from './refused.js';

/** For the command: a folder for the tree and one in it for the claims. */
export function claimedTree(): { root: string; locks: string; args: string[] } {
  const root = testFolder();
  const locks = join(root, 'out', 'locks');
  return { root, locks, args: ['--dir', locks, '--root', root] };
}

export interface Setting {
  folder: string;
  directory: string;
  claims: Claims;
  /** The same folder, as another program uses it. */
  others: Claims;
  /** Writes a claim as a person would. */
  put: (agent: string, more?: object) => string;
  names: () => string[];
}

export function setUp(): Setting {
  const folder = testFolder();
  const directory = join(folder, 'locks');
  mkdirSync(directory);
  const put: Setting['put'] = (agent, more = {}) => {
    const path = join(directory, `${agent}.lock`);
    const fields = {
      agent,
      locked_at: time(-7_200_000),
      files: [`${agent}.txt`],
      expires_at: time(3_600_000),
      ...more,
    };
    writeFileSync(path, JSON.stringify(fields));
    return path;
  };
  const claims = new Claims(directory, { root: folder });
  const others = new Claims(directory, { root: folder });
  return { folder, directory, claims, others, put, names: () => readdirSync(directory).sort() };
}

export const time = (fromNow: number): string =>
  `${new Date(Date.now() + fromNow).toISOString().slice(0, 19)}Z`;
export const expired = { expires_at: time(-60_000) };
export const LOST = expect.objectContaining({ name: 'LockLostError', code: 'ERR_LOCK_LOST' });
export const a = { agent: 'a', files: ['src/a.ts'] };
export const b = { agent: 'b', files: ['src/b.ts'] };

/** Resolves with the reason once it is aborted. */
export function aborted(signal: AbortSignal): Promise<unknown> {
  return Promise.race([
    new Promise((resolve) => {
      if (signal.aborted) resolve(signal.reason);
      signal.addEventListener('abort', () => resolve(signal.reason));
    }),
    sleep(15_000, undefined, { ref: false }).then(() => {
      throw new Error('it was not aborted');
    }),
  ]);
}

export async function conflictOf(call: Promise<unknown>): Promise<ClaimConflictError> {
  const error = await errorOf(() => call);
  expect(error).toBeInstanceOf(ClaimConflictError);
  return error as ClaimConflictError;
}

export interface FilesSetting {
  folder: string;
  directory: string;
  claims: Claims;
  /** Writes a file among the claims. */
  put: (name: string, content: string | Buffer | object) => string;
  /** What is in a claim's file. */
  get: (agent: string) => Record<string, unknown>;
}

export function setUpFiles(): FilesSetting {
  const folder = testFolder();
  const directory = join(folder, 'locks');
  mkdirSync(directory);
  const put: FilesSetting['put'] = (name, content) => {
    const path = join(directory, name);
    const raw = typeof content === 'string' || Buffer.isBuffer(content);
    writeFileSync(path, raw ? content : JSON.stringify(content));
    return path;
  };
  const get: FilesSetting['get'] = (agent) =>
    JSON.parse(readFileSync(join(directory, `${agent}.lock`), 'utf8'));
  return { folder, directory, claims: new Claims(directory, { root: folder }), put, get };
}

/** As people write it. */
export const handWritten = (agent: string, more: object = {}): object => ({
  agent,
  locked_at: time(-60_000),
  files: [`${agent}.txt`],
  expires_at: time(3_600_000),
  ...more,
});

/** A status as `list` gives it, of no folder. */
export function status(
  agent: string,
  files: string[],
  more: Partial<ClaimStatus> = {},
): ClaimStatus {
  return {
    agent,
    file: `/nowhere/locks/${agent}.lock`,
    state: 'active',
    reason: null,
    files,
    directories: [],
    except: [],
    parts: [],
    task: null,
    lockedAt: new Date(0),
    expiresAt: new Date(4e12),
    bound: null,
    waiters: [],
    session: null,
    parent: null,
    ...more,
  };
}

/** Puts a claim of somebody who does not use Holdfast into the folder. */
export function putHandWritten(locks: string, agent: string, fields: object = {}): void {
  mkdirSync(locks, { recursive: true });
  const claim = handWritten(agent, { files: ['lib/x.ts'], expires_at: time(600_000), ...fields });
  writeFileSync(join(locks, `${agent}.lock`), JSON.stringify(claim));
}
