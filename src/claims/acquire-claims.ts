import { throwIfAborted } from '../base/abort.js';
import {
  checkBoolean,
  checkFunction,
  checkMilliseconds,
  checkOptions,
  checkSignal,
  optionNames,
} from '../base/arguments.js';
import { monotonicTime } from '../base/timers.js';
import { NextChange } from './changes.js';
import type { ClaimFile } from './claim-file.js';
import { conflictsAmong } from './conflicts.js';
import { ClaimConflictError } from './errors.js';
import { GRACE_MILLISECONDS } from './expiry.js';
import { decide, type Place, undo } from './grant.js';
import type { HeldClaim } from './held-claim.js';
import type { Found, Wanted } from './model.js';
import type { ClaimOptions } from './types.js';

const CLAIM_OPTIONS = optionNames<ClaimOptions>({
  timeout: true,
  signal: true,
  onWait: true,
  ignoreInvalid: true,
});

// Each wait in the kernel takes a thread. The others are polled.
const MOST_KERNEL_WAITS = 16;

/** Claims all that is wanted, waiting if it must; or rejects. */
export async function acquireClaims(
  place: Place,
  wanted: readonly Wanted[],
  options: ClaimOptions | undefined,
): Promise<HeldClaim[]> {
  const directory = place.folder.path;
  const checked = checkOptions(options, CLAIM_OPTIONS);
  const timeout = checkMilliseconds(checked.timeout, 'options.timeout', 0);
  const signal = checkSignal(checked.signal);
  const onWait = checkFunction(checked.onWait, 'options.onWait');
  const ignoreInvalid = checkBoolean(checked.ignoreInvalid, 'options.ignoreInvalid', false);
  throwIfAborted(signal);
  const among = conflictsAmong(wanted, []);
  if (among.length > 0) throw new ClaimConflictError(directory, among, 0);
  if (wanted.length === 0) return [];
  let began: number | null = null;
  let next: NextChange | null = null;
  try {
    for (;;) {
      const { claims, conflicts, blockers } = await place.folder.exclusively(
        () => decide(place, wanted, { ignoreInvalid }),
        { signal, undo: (decision) => undo(place, decision) },
      );
      if (conflicts.length === 0) return claims;
      const waited = began === null ? 0 : monotonicTime() - began;
      if (waited >= timeout) {
        throw new ClaimConflictError(directory, conflicts, Math.round(waited));
      }
      if (began === null) {
        began = monotonicTime();
        onWait?.(conflicts);
      }
      // The watch must begin before the decision that the wait follows. So the
      // first round does not wait.
      if (next !== null) {
        await next.wait(until(blockers, timeout - waited), lockedFiles(blockers), signal);
      }
      next = new NextChange(directory);
    }
  } finally {
    next?.close();
  }
}

/** How long until the clock may end one of the blockers, at most `most`. */
function until(blockers: readonly Found[], most: number): number {
  const now = Date.now();
  const times = blockers
    .filter(({ claim }) => claim?.bound === null)
    .map(({ claim }) => (claim as ClaimFile).expiresAt.getTime() + GRACE_MILLISECONDS - now);
  return Math.max(0, Math.min(most, ...times));
}

function lockedFiles(blockers: readonly Found[]): string[] {
  const bound = blockers.filter(({ claim }) => claim?.bound != null);
  return bound.slice(0, MOST_KERNEL_WAITS).map(({ location }) => location);
}
