import { isLockError } from '../base/errors.js';
import type { HeldLock, Locker } from '../base/locker.js';
import type { NextIdOptions } from '../next-id/options.js';
import type { CommandOptions } from './command.js';
import { EXIT, Exit, usageError } from './exit-codes.js';
import { isLockUrl } from './is-lock-url.js';
import { type LockUrl, parseLockUrl } from './lock-url.js';
import { isRefusal, silenceBehind } from './refusal.js';
import { commandText, describeFailure, failure, whileOpen } from './url-locker.js';

/** How the ids are given out where the locks come from a server. */
export interface OnServer {
  options: Pick<NextIdOptions, 'locker' | 'signal'>;
  running: CommandOptions;
  /** The locks are held. */
  begin: () => void;
  /** A lock was lost while the command ran. */
  lost: (reason: unknown) => Exit;
}

/** `next-id --locker URL`: calls `give` with what the server is for. */
export function giveOnUrl(
  typed: string,
  command: readonly string[],
  give: (server: OnServer) => Promise<unknown>,
): Promise<unknown> {
  if (!isLockUrl(typed)) {
    const form = 'postgres://HOST/DATABASE#NAME or etcd://HOST:PORT/NAME';
    throw usageError(`--locker takes a URL: ${form}`, 'next-id');
  }
  const url = parseLockUrl(typed, 'next-id', { nameless: true });
  const text = command.length === 0 ? 'holdfast next-id' : commandText(command);
  return whileOpen(url, text, (locker, wait) =>
    give({
      options: { locker: withName(locker, url), signal: wait.signal },
      running: { isSocket: true, endWithParent: url.engine === 'etcd' },
      begin: () => wait.end(),
      lost: (reason) => {
        const message = `${describeFailure(reason, url)}; the command was ended`;
        return new Exit(EXIT.data, message);
      },
    }),
  );
}

/**
 * The lock of the URL is for all folders together. Without a name in the URL,
 * each folder has the lock of its own path.
 */
function withName(locker: Locker, url: LockUrl): Locker {
  let isHeld = false;
  return {
    async acquire(path, options) {
      if (isHeld) return NOTHING;
      try {
        const lock = await locker.acquire(url.name === '' ? path : url.name, options);
        isHeld = url.name !== '';
        return withOwnErrors(lock, url);
      } catch (error) {
        const silence = silenceBehind(error);
        if (silence !== undefined) throw failure(silence, url);
        throw isRefusal(error) ? error : failure(error, url);
      }
    },
  };
}

async function nothing(): Promise<void> {}

/** For a further folder. */
const NOTHING: HeldLock = { token: 0, release: nothing, [Symbol.asyncDispose]: nothing };

/** Otherwise an error of the server would pass for a mistake in the options. */
function withOwnErrors(lock: HeldLock, url: LockUrl): HeldLock {
  const rethrow = (error: unknown): never => {
    throw isLockError(error) ? error : failure(error, url);
  };
  const release = (): Promise<void> => lock.release().catch(rethrow);
  return {
    token: lock.token,
    ...(lock.signal !== undefined && { signal: lock.signal }),
    ...(lock.fd !== undefined && lock.fd >= 0 && { fd: lock.fd }),
    isCurrent: () => lock.isCurrent?.() !== false,
    check: async () => lock.check?.().catch(rethrow),
    release,
    [Symbol.asyncDispose]: release,
  };
}
