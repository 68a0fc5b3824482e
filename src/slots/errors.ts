import { formatTimeout, LockHeldError, LockTimeoutError, setName } from '../base/errors.js';
import { describeHolder, type Holder } from '../base/holder.js';
import { type FilePath, pathText } from '../base/paths.js';

/** Refused at once: every slot is taken. `path` is the folder. */
export class SlotsHeldError<T extends object = Record<string, unknown>> extends LockHeldError<T> {
  /** Who has the slots, in their order, as far as it is known; `holder` is the first. */
  readonly holders: Holder<T>[];

  constructor(directory: FilePath, holders: Holder<T>[], slots: number) {
    const message = `${allOf(slots)} of ${pathText(directory)} ${describeTaken(holders, slots)}`;
    super(directory, holders[0] ?? null, message);
    this.holders = holders;
  }
}
setName(SlotsHeldError, 'SlotsHeldError');

/** The deadline passed while every slot was taken. `path` is the folder. */
export class SlotsTimeoutError<
  T extends object = Record<string, unknown>,
> extends LockTimeoutError<T> {
  /** Who has the slots, in their order, as far as it is known; `holder` is the first. */
  readonly holders: Holder<T>[];

  constructor(directory: FilePath, holders: Holder<T>[], slots: number, timeout: number) {
    const path = pathText(directory);
    const late = `gave up waiting for a slot of ${path} after ${formatTimeout(timeout)}`;
    const message = `${late}: ${allOf(slots)} ${describeTaken(holders, slots)}`;
    super(directory, holders[0] ?? null, timeout, message);
    this.holders = holders;
  }
}
setName(SlotsTimeoutError, 'SlotsTimeoutError');

const MOST_NAMED = 3;

/** `all 4 slots`. */
export function allOf(slots: number): string {
  if (slots > 2) return `all ${slots} slots`;
  return slots === 2 ? 'both slots' : 'the slot';
}

function describeTaken(holders: readonly Holder[], slots: number): string {
  const named = holders.slice(0, MOST_NAMED).map((holder) => describeHolder(holder));
  const others = slots - named.length;
  if (named.length === 0) named.push('other processes');
  else if (others > 0) named.push(`${others} more`);
  return `${slots === 1 ? 'is' : 'are'} taken by ${named.join('; ')}`;
}
