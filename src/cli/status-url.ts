import type { Holder } from '../base/holder.js';
import type { LockStatus } from '../holders/inspect.js';
import type { Exit } from './exit-codes.js';
import { type LockUrl, parseLockUrl } from './lock-url.js';
import { failure, openLocker, type ServerLocker } from './url-locker.js';

/** Of a lock of a server, in the form of {@link LockStatus}. */
export interface ServerStatus extends Omit<LockStatus<object>, 'waiters'> {
  /** The URL as it was typed. */
  path: string;
  state: 'free' | 'held';
  /** In the order of the server, each with its host. */
  waiters: Holder<object>[];
}

/** Has a connection to each server until it is closed. */
export class ServerLooks {
  readonly #open = new Map<string, { url: LockUrl; locker: ServerLocker }>();

  /** Throws usage errors, before anything else is done. */
  check(typed: string): LockUrl {
    return parseLockUrl(typed, 'status');
  }

  /** Rejects with an {@link Exit}. */
  async inspect(typed: string): Promise<ServerStatus> {
    const url = this.check(typed);
    try {
      let opened = this.#open.get(typed);
      if (opened === undefined) {
        opened = { url, locker: await openLocker(url, 'holdfast status') };
        this.#open.set(typed, opened);
      }
      return await lookAt(opened.locker, url);
    } catch (error) {
      throw failure(error, url) as Exit;
    }
  }

  async close(): Promise<void> {
    const all = [...this.#open.values()];
    await Promise.all(all.map(({ locker }) => locker[Symbol.asyncDispose]()));
  }
}

export async function lookAt(locker: ServerLocker, url: LockUrl): Promise<ServerStatus> {
  const { holders, waiters } = await locker.look(url.name);
  return {
    path: url.typed,
    state: holders.length === 0 ? 'free' : 'held',
    // Of a single holder, the server is not asked.
    mode: holders.length > 1 ? 'shared' : null,
    holders,
    waiters,
    record: null,
    otherLocks: [],
  };
}
