import { clearInterval, setInterval } from 'node:timers';
import { type Member, readMembers } from './member-files.js';
import type { Troubles } from './troubles.js';

const LOOK_MILLISECONDS = 250;

export interface MembersWatchOptions<T extends object> {
  directory: string;
  troubles: Troubles;
  isHeard: () => boolean;
  /** Called with all members when somebody has come, left or become primary. */
  onChange: (members: Member<T>[]) => void;
}

/** Compares the members of a folder with those it last had, while somebody listens. */
export class MembersWatch<T extends object> {
  readonly #options: MembersWatchOptions<T>;
  #timer: NodeJS.Timeout | undefined;
  #last: string | undefined;

  constructor(options: MembersWatchOptions<T>) {
    this.#options = options;
  }

  start(): void {
    if (this.#timer !== undefined) return;
    this.#last = undefined;
    this.#compare();
    this.#timer = setInterval(() => this.#look(), LOOK_MILLISECONDS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    if (this.#options.isHeard()) this.#compare();
    else this.stop();
  }

  #compare(): void {
    const { directory, troubles, onChange } = this.#options;
    let members: Member<T>[];
    try {
      members = readMembers<T>(directory);
      troubles.over('members');
    } catch (error) {
      troubles.report('members', error as Error);
      return;
    }
    const text = JSON.stringify(members.map(({ id, primary }) => [id, primary]));
    const changed = this.#last !== undefined && this.#last !== text;
    this.#last = text;
    if (changed) onChange(members);
  }
}
