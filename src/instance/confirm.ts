import { onAbort, throwIfAborted } from '../base/abort.js';
import type { Holder } from '../base/holder.js';
import type { FileLock } from '../lock/file-lock.js';

/** How to force a holder, and who must confirm it. */
export interface ForceOptions<T extends object> {
  how: 'steal' | 'terminate';
  /** Milliseconds between SIGTERM and SIGKILL. */
  grace: number;
  /** The user whose processes may be ended. */
  uid: number | undefined;
  confirm: ((holder: Holder<T>, all: Holder<T>[]) => boolean | Promise<boolean>) | undefined;
}

/** A lock that was acquired by force, or that became free in the meantime. */
export interface Forced {
  lock: FileLock<object>;
  /** The record found in the file is that of the forced holder. */
  expected: boolean;
}

/** Makes the error for a refusal by this holder. */
export type Refuse = (holder: Holder<object> | null) => Error;

/** How often the holder may change before force gives up. */
export const MOST_ROUNDS = 20;

const UNKNOWN_HOLDER: Holder<never> = {
  pid: null,
  self: false,
  source: 'record',
  verified: false,
  inOtherContainer: false,
  since: null,
  command: null,
  hostname: null,
  data: null,
};

/**
 * Asks `confirm` about the holders; throws the refusal if the answer is no.
 * Throws `signal.reason` if the signal is aborted before there is an answer.
 */
export async function confirmForce(
  holders: Holder<object>[],
  { confirm }: ForceOptions<never>,
  refuse: Refuse,
  signal: AbortSignal | undefined,
): Promise<void> {
  throwIfAborted(signal);
  if (confirm === undefined) return;
  const [holder = null] = holders;
  let stopListening = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stopListening = onAbort(signal, () => reject(signal?.reason));
  });
  try {
    const first = (holder ?? UNKNOWN_HOLDER) as Holder<never>;
    const answer = await Promise.race([confirm(first, holders as Holder<never>[]), aborted]);
    throwIfAborted(signal);
    if (!answer) throw refuse(holder);
  } finally {
    stopListening();
  }
}
