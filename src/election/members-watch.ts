import { clearInterval, setInterval } from 'node:timers';
import type { Member } from './member-files.js';
import type { Membership } from './membership.js';
import type { Troubles } from './troubles.js';

export interface MembersWatchOptions<T extends object> {
  membership: Membership<T>;
  troubles: Troubles;
  isHeard: () => boolean;
  /** Called with all members when one has joined, left or become primary. */
  onChange: (members: Member<T>[]) => void;
}

/** Compares the members with the earlier ones, while somebody listens. */
export class MembersWatch<T extends object> {
  readonly #options: MembersWatchOptions<T>;
  #timer: NodeJS.Timeout | undefined;
  #last: string | undefined;
  #isLooking = false;

  constructor(options: MembersWatchOptions<T>) {
    this.#options = options;
  }

  start(): void {
    if (this.#timer !== undefined) return;
    this.#last = undefined;
    const { lookMilliseconds } = this.#options.membership;
    this.#timer = setInterval(() => this.#look(), lookMilliseconds).unref();
    void this.#compare();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    if (!this.#options.isHeard()) this.stop();
    // A server may take longer than the interval.
    else if (!this.#isLooking) void this.#compare();
  }

  async #compare(): Promise<void> {
    const { troubles, onChange } = this.#options;
    const timer = this.#timer;
    this.#isLooking = true;
    let members: Member<T>[];
    try {
      members = await this.#options.membership.members();
      if (this.#timer !== timer) return;
      troubles.over('members');
    } catch (error) {
      if (this.#timer === timer) troubles.report('members', error as Error);
      return;
    } finally {
      this.#isLooking = false;
    }
    const text = JSON.stringify(members.map(({ id, primary }) => [id, primary]));
    const changed = this.#last !== undefined && this.#last !== text;
    this.#last = text;
    if (changed) onChange(members);
  }
}
