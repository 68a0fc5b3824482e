import { onAbort, throwIfAborted } from '../base/abort.js';
import {
  checkBoolean,
  checkFilePath,
  checkFunction,
  checkMilliseconds,
  checkOptions,
  checkSignal,
} from '../base/arguments.js';
import { AlreadyRunningError, LockHeldError, LockTimeoutError } from '../base/errors.js';
import type { Holder } from '../base/holder.js';
import {
  ACQUIRE_OPTIONS,
  type AcquireOptions,
  type HeldLock,
  type Locker,
} from '../base/locker.js';
import type { FilePath } from '../base/paths.js';
import { LONGEST_TIMER, monotonicTime, sleepSync } from '../base/timers.js';

/** A {@link Locker} without files, for unit tests of code that takes one. */
export interface MemoryLocker extends Locker {
  acquire(path: string | Buffer | URL, options?: AcquireOptions<object>): Promise<HeldLock>;
  /**
   * Simulates a crash of the holder of `path`: the lock goes to the next waiter,
   * and later calls of the dead holder have no effect. False if nobody held it.
   */
  crash(path: string | Buffer | URL): boolean;
}

interface Queue {
  holder: object | null;
  since: Date | null;
  token: number;
  waiting: Set<() => void>;
}

const MEMORY_OPTIONS = new Set(['instance']);

/**
 * The same exclusion, order, timeouts, errors and tokens as `fileLocker()`, or
 * with `instance: true` as `instanceLocker()`; one test suite runs against all
 * of them. Needs no addon and no disk. Shares no locks with other lockers.
 */
export function memoryLocker(options?: { instance?: boolean | undefined }): MemoryLocker {
  const { instance: asked } = checkOptions(options, MEMORY_OPTIONS);
  const instance = checkBoolean(asked, 'options.instance', false);
  const queues = new Map<string, Queue>();
  // No path is a string that begins with "bytes".
  const keyOf = (path: FilePath): string =>
    typeof path === 'string' ? path : `bytes ${path.toString('hex')}`;

  const queueOf = (path: FilePath): Queue => {
    let queue = queues.get(keyOf(path));
    if (queue === undefined) {
      queue = { holder: null, since: null, token: 0, waiting: new Set() };
      queues.set(keyOf(path), queue);
    }
    return queue;
  };

  const grant = (queue: Queue): HeldLock => {
    const holder = {};
    queue.holder = holder;
    queue.since = new Date();
    queue.token = Math.max(queue.token + 1, Date.now() * 1000);
    const release = async (): Promise<void> => {
      if (queue.holder === holder) passOn(queue);
    };
    return { token: queue.token, release, [Symbol.asyncDispose]: release };
  };

  const passOn = (queue: Queue): void => {
    queue.holder = null;
    queue.since = null;
    const [next] = queue.waiting;
    next?.();
  };

  return {
    async acquire(path, acquireOptions) {
      const { timeout, signal, onWait } = checkOptions(acquireOptions, ACQUIRE_OPTIONS);
      const lockPath = checkFilePath(path);
      const limit = checkMilliseconds(timeout, 'options.timeout', instance ? 0 : Infinity);
      checkSignal(signal);
      checkFunction(onWait, 'options.onWait');
      throwIfAborted(signal);
      const queue = queueOf(lockPath);
      if (queue.holder === null && queue.waiting.size === 0) return grant(queue);
      const began = monotonicTime();
      const refuse = (): Error => {
        const holder = describe(queue);
        if (instance) {
          // At least the limit, even where only the timers are mocked.
          const waited = Math.max(Math.round(monotonicTime() - began), Math.floor(limit));
          return new AlreadyRunningError(lockPath, holder, 'instance', waited);
        }
        return limit === 0
          ? new LockHeldError(lockPath, holder)
          : new LockTimeoutError(lockPath, holder, limit);
      };
      if (limit === 0) throw refuse();
      onWait?.(describe(queue));
      // onWait may have aborted it.
      throwIfAborted(signal);
      return new Promise((granted, refused) => {
        let timer: NodeJS.Timeout | undefined;
        const stop = (): void => {
          queue.waiting.delete(next);
          clearTimeout(timer);
          unlisten();
        };
        const next = (): void => {
          stop();
          granted(grant(queue));
        };
        const expire = (): void => {
          // A timer may fire early by a fraction of a millisecond. If more is left,
          // the timers are mocked and this clock is not: then follow the timers.
          const left = began + limit - monotonicTime();
          if (left > 0 && left < 1) sleepSync(left);
          stop();
          refused(refuse());
        };
        const unlisten = onAbort(signal, () => {
          stop();
          refused(signal?.reason);
        });
        queue.waiting.add(next);
        if (limit < LONGEST_TIMER) timer = setTimeout(expire, Math.ceil(limit));
        // onWait may have released the lock.
        if (queue.holder === null) passOn(queue);
      });
    },

    crash(path) {
      const queue = queues.get(keyOf(checkFilePath(path)));
      if (queue === undefined || queue.holder === null) return false;
      passOn(queue);
      return true;
    },
  };
}

function describe({ since }: Queue): Holder<object> {
  return {
    pid: process.pid,
    self: true,
    source: 'kernel',
    verified: true,
    inOtherContainer: false,
    since,
    command: null,
    hostname: null,
    data: {},
  };
}
