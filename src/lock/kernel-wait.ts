import { clearTimeout, setTimeout } from 'node:timers';
import { onAbort } from '../base/abort.js';
import { errnoOf, flockError } from '../base/errors.js';
import { LONGEST_TIMER } from '../base/timers.js';
import type { NativeBinding } from '../native/binding.js';
import { type Group, joinGroup } from './path-watch.js';
import type { Outcome, Wait } from './wait.js';

const WOULD_BLOCK = errnoOf('EWOULDBLOCK');

// A cancelled thread takes a tenth of a millisecond to give back what it may
// have been granted. One that hangs in a network file system takes longer, and
// the caller hears without it.
const CANCEL_MILLISECONDS = 20;

/** Waits on a thread of the addon. `null`: the system has no thread for it. */
export function waitInKernel(wait: Wait): Promise<Outcome> | null {
  return startThread<Outcome>(wait);
}

/** A single attempt there, where it may hang. */
export function attemptInKernel(wait: Wait): Promise<Outcome | 'refused'> | null {
  return startThread<Outcome | 'refused'>(wait, 'refused');
}

/** With `refused`, a single attempt that resolves to it. */
function startThread<R extends string>(wait: Wait, refused?: R): Promise<Outcome | R> | null {
  const { file, mode, deadline, signal } = wait;
  const { native, id } = file;
  const singleAttempt = refused !== undefined;
  const pending = pendingWaits(native);
  if (native.startWaiting(id, mode, singleAttempt) !== 0) return null;
  return new Promise<Outcome | R>((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    let group: Group | undefined;
    let unlisten = (): void => {};
    const stop = (): void => {
      pending.delete(id);
      if (timer !== undefined) clearTimeout(timer);
      unlisten();
      group?.members.delete(file);
    };
    // The order of every ending: the wait cannot end a second time, what the
    // kernel may have granted is given back, then the caller hears.
    const end = (tell: () => void): void => {
      stop();
      if (!native.cancelWaiting(id)) {
        tell();
        return;
      }
      const tellOnce = (): void => {
        pending.delete(id);
        clearTimeout(timer);
        tell();
      };
      pending.set(id, tellOnce);
      timer = setTimeout(tellOnce, CANCEL_MILLISECONDS);
    };
    const onTimer = (): void => {
      // Timers may fire early by a fraction, and are cut at LONGEST_TIMER.
      if (deadline.remaining > 0) setTimer();
      else end(() => resolve('timeout'));
    };
    const setTimer = (): void => {
      const { remaining } = deadline;
      if (remaining !== Number.POSITIVE_INFINITY) {
        timer = setTimeout(onTimer, Math.min(Math.ceil(remaining), LONGEST_TIMER));
      }
    };
    pending.set(id, () => {
      stop();
      const errno = native.finishWaiting(id, mode);
      if (errno === 0) return resolve('granted');
      if (singleAttempt && errno === WOULD_BLOCK) return resolve(refused);
      file.close();
      reject(flockError(errno, file.path));
    });
    try {
      unlisten = onAbort(signal, () => end(() => reject(signal?.reason)));
      setTimer();
      if (!singleAttempt && wait.followPath) {
        group = joinGroup(file, () => end(() => resolve('replaced')));
      }
    } catch (error) {
      // The wait has begun, and nothing else would ever end it.
      end(() => reject(error));
    }
  });
}

const pendingOf = new WeakMap<NativeBinding, Map<number, () => void>>();
const PENDING = Symbol.for('holdfast.pendingWaits');

/** What to call when the wait with an id has settled. */
function pendingWaits(native: NativeBinding): Map<number, () => void> {
  let pending = pendingOf.get(native);
  if (pending === undefined) {
    // Kept with the addon itself, which takes one callback per thread: a second
    // instance of this module on the same thread shares it.
    const shared = native as { [PENDING]?: Map<number, () => void> };
    pending = shared[PENDING] ?? new Map<number, () => void>();
    shared[PENDING] = pending;
    const settled = pending;
    native.onSettled((id) => settled.get(id)?.());
    pendingOf.set(native, pending);
  }
  return pending;
}
