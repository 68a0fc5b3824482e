import { hostname } from 'node:os';
import { throwIfAborted } from '../base/abort.js';
import {
  checkBoolean,
  checkFilePath,
  checkFunction,
  checkMilliseconds,
  checkOptions,
  checkSignal,
} from '../base/arguments.js';
import {
  AlreadyRunningError,
  LockHeldError,
  LockLostError,
  LockTimeoutError,
} from '../base/errors.js';
import type { Holder } from '../base/holder.js';
import {
  checkExclusive,
  checkMode,
  type HeldLock,
  LOCKER_OPTIONS,
  type Locker,
  type LockerOptions,
  type LockView,
} from '../base/locker.js';
import { type FilePath, pathText } from '../base/paths.js';
import { monotonicTime } from '../base/timers.js';
import { TIMED_OUT, type Turn, Turns } from './turns.js';

/** A {@link Locker} without files, for unit tests of code that takes one. */
export interface MemoryLocker extends Locker {
  acquire(path: string | Buffer | URL, options?: LockerOptions): Promise<HeldLock>;
  look(path: string | Buffer | URL): Promise<LockView>;
  /**
   * Simulates a crash of the holder of `path`, or of all shared holders: the lock
   * goes to the next waiter, and later calls of the dead holder have no effect.
   * False if nobody held it.
   */
  crash(path: string | Buffer | URL): boolean;
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
  const turns = new Turns();
  const tokens = new Map<string, number>();

  const grant = (path: FilePath, turn: Turn): HeldLock => {
    const key = keyOf(path);
    const last = tokens.get(key) ?? 0;
    const token = turn.mode === 'shared' ? last : Math.max(last + 1, Date.now() * 1000);
    tokens.set(key, token);
    let held = true;
    const isCurrent = (): boolean => turns.look(key).turns.includes(turn);
    const release = async (): Promise<void> => {
      held = false;
      turn.end();
    };
    return {
      token,
      get held() {
        return held;
      },
      isCurrent,
      async check() {
        if (!isCurrent()) throw new LockLostError(path, `${pathText(path)} is no longer held`);
      },
      release,
      [Symbol.asyncDispose]: release,
    };
  };

  return {
    async acquire(path, acquireOptions) {
      const checked = checkOptions(acquireOptions, LOCKER_OPTIONS);
      const { timeout, signal, onWait } = checked;
      const lockPath = checkFilePath(path);
      const mode = checkMode(checked.mode);
      const limit = checkMilliseconds(timeout, 'options.timeout', instance ? 0 : Infinity);
      checkSignal(signal);
      checkFunction(onWait, 'options.onWait');
      if (instance) checkExclusive(mode, lockPath, 'the locks of instances');
      throwIfAborted(signal);
      const key = keyOf(lockPath);
      const first = turns.tryBegin(key, mode);
      if (first !== null) return grant(lockPath, first);
      const began = monotonicTime();
      const holder = (): Holder<object> | null => {
        const [turn] = turns.look(key).turns;
        return turn === undefined ? null : describe(turn.since);
      };
      const refuse = (): Error => {
        if (instance) {
          // At least the limit, even where only the timers are mocked.
          const waited = Math.max(Math.round(monotonicTime() - began), Math.floor(limit));
          return new AlreadyRunningError(lockPath, holder(), 'instance', waited);
        }
        return limit === 0
          ? new LockHeldError(lockPath, holder())
          : new LockTimeoutError(lockPath, holder(), limit);
      };
      if (limit === 0) throw refuse();
      // It may abort the signal, or release the lock.
      onWait?.(holder());
      const turn = await turns.begin(key, mode, began + limit, signal);
      if (turn === TIMED_OUT) throw refuse();
      return grant(lockPath, turn);
    },

    async look(path) {
      const view = turns.look(keyOf(checkFilePath(path)));
      return {
        holders: view.turns.map(({ since }) => describe(since)),
        waiters: Array.from({ length: view.waiting }, () => describe(null)),
      };
    },

    crash(path) {
      const holders = turns.look(keyOf(checkFilePath(path))).turns;
      for (const turn of holders) turn.end();
      return holders.length > 0;
    },
  };
}

/** No path is a string that begins with "bytes". */
function keyOf(path: FilePath): string {
  return typeof path === 'string' ? path : `bytes ${path.toString('hex')}`;
}

function describe(since: Date | null): Holder<object> {
  return {
    pid: process.pid,
    self: true,
    source: 'kernel',
    verified: true,
    inOtherContainer: false,
    since,
    command: null,
    hostname: hostname(),
    data: {},
  };
}
