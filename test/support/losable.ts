import { LockLostError } from '../../src/base/errors.js';
import type { HeldLock, Locker } from '../../src/index.js';
import { memoryLocker } from '../../src/testing.js';

/** A locker whose server a test can take away. */
export interface Losable extends Locker {
  /** Each call from now on fails with this; `null`: the server is back. */
  fail(error: Error | null): void;
  /** How often it was asked for a lock. */
  readonly asked: number;
  /** The holder of the name loses it: the next one may have it. */
  lose(name: string, how?: { silently?: boolean }): LockLostError;
}

/** As `memoryLocker()`, with locks that can be lost. Not `held`, as those of a server. */
export function losable(): Losable {
  const memory = memoryLocker();
  const losses = new Map<string, (silently: boolean) => LockLostError>();
  let failure: Error | null = null;
  let asked = 0;
  return {
    async acquire(name, options) {
      asked++;
      if (failure !== null) throw failure;
      const lock = await memory.acquire(name, options);
      const controller = new AbortController();
      let loss: LockLostError | undefined;
      losses.set(name, (silently) => {
        loss = new LockLostError(name, `${name}: the session has ended`);
        memory.crash(name);
        if (!silently) controller.abort(loss);
        return loss;
      });
      const release = async (): Promise<void> => {
        const lost = loss;
        await lock.release();
        if (lost !== undefined) throw lost;
      };
      const held: HeldLock = {
        token: lock.token,
        signal: controller.signal,
        isCurrent: () => loss === undefined && lock.isCurrent?.() === true,
        async check() {
          if (failure !== null) throw failure;
          if (loss !== undefined) throw loss;
        },
        release,
        [Symbol.asyncDispose]: release,
      };
      return held;
    },
    async look(name) {
      if (failure !== null) throw failure;
      return (await memory.look(name)) as never;
    },
    fail(error) {
      failure = error;
    },
    get asked() {
      return asked;
    },
    lose(name, { silently = false } = {}) {
      return losses.get(name)?.(silently) as LockLostError;
    },
  };
}
