import type { Member } from './member-files.js';

/** One member's place among the members of an election, and its view of them. */
export interface Membership<T extends object> {
  readonly id: string;
  /** How often the members are looked at while somebody listens. */
  readonly lookMilliseconds: number;
  /** The member is entering again: nothing else is checked meanwhile. */
  readonly isRenewing: boolean;
  /** Rejects if this member cannot be one of them. */
  enter(signal: AbortSignal | undefined): Promise<void>;
  /** Enters again, in the background, if what makes it a member is gone. */
  renewIfReplaced(): void;
  /** Removes what dead members have left. */
  sweep(): void;
  /** The opposite of `enter`. If it is not a member, does nothing. */
  leave(): Promise<void>;
  members(): Promise<Member<T>[]>;
}
