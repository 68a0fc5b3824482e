import { hostname } from 'node:os';
import { LockUnsupportedError } from '../base/errors.js';
import type { Holder } from '../base/holder.js';
import type { Locker } from '../base/locker.js';
import type { Member } from './member-files.js';
import type { Membership } from './membership.js';

/**
 * The members are those that hold the lock or wait for it, according to the
 * locker. There are no files, so there is nothing to do.
 */
export class LockerMembership<T extends object> implements Membership<T> {
  readonly id = idOf({ hostname: hostname(), pid: process.pid });
  // Each look is a request to the server.
  readonly lookMilliseconds = 500;
  readonly isRenewing = false;
  readonly #locker: Locker;
  readonly #name: string;

  constructor(locker: Locker, name: string) {
    this.#locker = locker;
    this.#name = name;
  }

  async enter(): Promise<void> {}

  renewIfReplaced(): void {}

  sweep(): void {}

  async leave(): Promise<void> {}

  async members(): Promise<Member<T>[]> {
    if (this.#locker.look === undefined) {
      const message = `the members of ${this.#name} are unknown: its locker has no look(); use one that has it`;
      throw new LockUnsupportedError(this.#name, message);
    }
    const { holders, waiters } = await this.#locker.look(this.#name);
    return [
      ...holders.map((holder) => memberOf<T>(holder, true)),
      ...waiters.map((waiter) => memberOf<T>(waiter, false)),
    ];
  }
}

function memberOf<T extends object>(holder: Holder<object>, primary: boolean): Member<T> {
  const { pid, since, self, data } = holder;
  return { id: idOf(holder), pid, since, self, primary, data: data as Partial<T> | null };
}

/** Several members of one process share it. */
function idOf({ hostname, pid }: { hostname: string | null; pid: number | null }): string {
  return `${hostname ?? 'unknown'}:${pid ?? 'unknown'}`;
}
