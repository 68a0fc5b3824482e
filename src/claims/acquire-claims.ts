import { basename } from 'node:path';
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
import { type Awaited, NextChange } from './changes.js';
import type { ClaimFile } from './claim-file.js';
import { conflictsAmong, RequestedScopes } from './conflicts.js';
import { ClaimConflictError } from './errors.js';
import { GRACE_MILLISECONDS } from './expiry.js';
import { Family } from './family.js';
import { GivingWay, yieldingParts } from './gives-way.js';
import { decide, type Place, undo } from './grant.js';
import type { HeldClaim } from './held-claim.js';
import type { Found, Wanted } from './model.js';
import { Queue, stampOf } from './queue.js';
import { sessionsOf } from './session-end.js';
import { endsByClock } from './states.js';
import type { ClaimOptions } from './types.js';
import { isFresh } from './want-file.js';

const CLAIM_OPTIONS = optionNames<ClaimOptions>({
  timeout: true,
  signal: true,
  onWait: true,
  ignoreInvalid: true,
  force: true,
});

// The longest time between two full reads of a waiter that hears of no change.
const LOOK_MILLISECONDS = 5000;

/** Claims all that is wanted, waiting if it must, or rejects. */
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
  const force = checkBoolean(checked.force, 'options.force', false);
  throwIfAborted(signal);
  const among = conflictsAmong(wanted, [], Family.among(wanted).areRelated);
  if (among.length > 0) throw new ClaimConflictError(directory, among, 0);
  if (wanted.length === 0) return [];
  const began = monotonicTime();
  const waited = (): number => monotonicTime() - began;
  const queue = new Queue(place.folder, wanted);
  const givingWay = new GivingWay();
  const requested = new RequestedScopes(wanted);
  let hasWaited = false;
  let next: NextChange | null = null;
  try {
    for (;;) {
      const waits = waited() < timeout;
      const { claims, conflicts, blockers } = await place.folder.exclusively(
        () => {
          givingWay.take(place);
          queue.look();
          const decision = decide(place, wanted, {
            ignoreInvalid,
            force,
            stoppedBy: (inTheWay) => queue.stoppedBy(inTheWay, { waits }),
          });
          if (decision.conflicts.length === 0) queue.leave();
          else if (waits && queue.circle.length === 0) queue.enter();
          return decision;
        },
        { signal, undo: (decision) => undo(place, decision) },
      );
      if (conflicts.length === 0) return claims;
      const yielding = yieldingParts(blockers, requested, Date.now());
      if (await givingWay.ask(yielding)) continue;
      if (!waits || queue.circle.length > 0) {
        const time = hasWaited ? Math.round(waited()) : 0;
        throw new ClaimConflictError(directory, conflicts, time, queue.circle);
      }
      if (!hasWaited) {
        hasWaited = true;
        onWait?.(conflicts);
      }
      // The watch must begin before the decision that leads to a wait, so the
      // first round does not wait.
      if (next !== null) {
        const sessions = queue.ahead === null ? sessionsOf(blockers.slice(0, 1)) : [];
        await next.wait(awaited(queue, blockers, timeout - waited()), signal, sessions);
      }
      next = new NextChange(directory);
    }
  } finally {
    next?.close();
    queue.leave();
  }
}

/**
 * Everything in the way has to go, so it is enough to notice the end of one:
 * then one waiter wakes, not all of them. A circle may also have closed. While
 * the agents of this call have no claim, only a claim of theirs can close one
 * that this call has to end; once they have one, any claim can.
 */
function awaited(queue: Queue, blockers: readonly Found[], left: number): Awaited {
  const { ahead, isQuiet } = queue;
  const [first] = blockers;
  if (ahead === null && first === undefined) {
    return { milliseconds: left, names: null, locked: null };
  }
  const seen = queue.stamp();
  const goesOn = (hasNotMoved: () => boolean): boolean =>
    queue.touch() && (isQuiet || queue.stamp() === seen) && hasNotMoved();
  const most = Math.min(left, LOOK_MILLISECONDS);
  if (ahead !== null) {
    return {
      milliseconds: most,
      names: [basename(ahead.file), ...queue.ownFiles],
      anyClaim: !isQuiet,
      locked: ahead.file,
      goesOn: () => goesOn(() => isFresh(ahead)),
    };
  }
  const { file, location, claim } = first as Found;
  const { bound, expiresAt } = claim as ClaimFile;
  const end = expiresAt.getTime() + GRACE_MILLISECONDS - Date.now();
  const text = stampOf(file);
  return {
    milliseconds: Math.max(0, endsByClock(first as Found) ? Math.min(most, end) : most),
    names: [basename(file), ...queue.ownFiles],
    anyClaim: !isQuiet,
    locked: bound === null ? null : location,
    goesOn: () => goesOn(() => stampOf(file) === text),
  };
}
