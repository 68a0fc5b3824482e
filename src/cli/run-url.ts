import type { HeldLock } from '../base/locker.js';
import { monotonicTime } from '../base/timers.js';
import { runCommand } from './command.js';
import { EXIT, usageError } from './exit-codes.js';
import { type LockUrl, parseLockUrl } from './lock-url.js';
import { isRefusal, reportDuration, reportRefusal, silenceBehind } from './refusal.js';
import type { RunOptions } from './run-options.js';
import { type Streams, say } from './streams.js';
import {
  commandText,
  describeFailure,
  failure,
  type Interruption,
  type ServerLocker,
  whileOpen,
} from './url-locker.js';
import { WaitingLine } from './waiting-line.js';

/** `holdfast run` with the lock of a server. */
export async function runOnUrl(
  options: RunOptions,
  typed: string,
  streams: Streams,
): Promise<number> {
  const url = parseLockUrl(typed, 'run');
  checkFits(options, url);
  return whileOpen(url, commandText(options.command), async (locker, wait) => {
    try {
      const lock = await acquire(locker, url, options, streams, wait);
      if (typeof lock === 'number') return lock;
      return await runHolding(lock, url, options, streams, wait);
    } catch (error) {
      throw failure(error, url);
    }
  });
}

/** Throws for an option that would have no effect, or not the one it has on files. */
function checkFits(options: RunOptions, { engine }: LockUrl): void {
  const { inPlace, unlock, force, instance, uid, data, mode } = options;
  const given: [option: string, isGiven: boolean][] = [
    ['-F (--no-fork)', inPlace],
    ['-u (--unlock)', unlock],
    ['--force', force === 'steal'],
    ['--terminate', force === 'terminate'],
    ['--instance', instance !== null],
    ['--uid', uid !== undefined],
    ['--data', Object.keys(data).length > 0],
  ];
  const option = given.find(([, isGiven]) => isGiven)?.[0];
  if (option !== undefined) throw usageError(`${option} is for files, not for a URL`, 'run');
  if (engine === 'etcd' && mode === 'shared') {
    throw usageError('etcd has no shared locks; leave out -s (--shared)', 'run');
  }
}

async function acquire(
  locker: ServerLocker,
  { name, typed }: LockUrl,
  options: RunOptions,
  streams: Streams,
  { signal }: Interruption,
): Promise<HeldLock | number> {
  const { mode, timeout, quiet, verbose } = options;
  const look = async () => {
    const { holders, waiters } = await locker.look(name);
    return { holder: holders[0] ?? null, ahead: waiters.findIndex(({ self }) => self) };
  };
  const line = quiet ? null : new WaitingLine(streams, typed, timeout, look);
  const began = monotonicTime();
  try {
    const lock = await locker.acquire(name, {
      mode,
      timeout,
      signal,
      onWait: (holder) => line?.begin(holder),
    });
    line?.end('granted');
    if (verbose) reportDuration(began, streams);
    return lock;
  } catch (error) {
    line?.end('refused');
    const silence = silenceBehind(error);
    if (silence !== undefined) throw silence;
    if (isRefusal(error)) return reportRefusal(error, typed, options, streams);
    throw error;
  }
}

async function runHolding(
  lock: HeldLock,
  url: LockUrl,
  { command, close, verbose }: RunOptions,
  streams: Streams,
  wait: Interruption,
): Promise<number> {
  const end = lock.signal;
  const tellLoss = (): void => {
    say(streams, `${describeFailure(end?.reason, url)}; ending ${command[0]}`);
  };
  let status: number;
  try {
    if (verbose) say(streams, `executing ${command[0]}`);
    wait.end();
    end?.throwIfAborted();
    end?.addEventListener('abort', tellLoss);
    status = await runCommand(command, close ? null : (lock.fd ?? null), {
      environment: { HOLDFAST_TOKEN: String(lock.token) },
      end,
      caller: streams.caller,
      isSocket: true,
      endWithParent: url.engine === 'etcd',
    });
  } catch (error) {
    await lock.release().catch(() => {});
    throw error;
  } finally {
    end?.removeEventListener('abort', tellLoss);
  }
  if (end?.aborted === true) return EXIT.data;
  if (close || lock.detach === undefined) await lock.release();
  else {
    // Whether it was held until now: the server may have ended the session.
    await lock.check?.();
    // Do not release: a child that the command has left in the background holds
    // the lock while it has the socket.
    lock.detach();
  }
  return status;
}
