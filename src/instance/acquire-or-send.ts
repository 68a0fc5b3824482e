import { argumentError } from '../base/argument-errors.js';
import { checkMilliseconds, checkSignal } from '../base/arguments.js';
import { type InstanceAnswer, isLockError } from '../base/errors.js';
import { LockFile } from '../holders/lock-file.js';
import { acquire } from '../lock/acquire.js';
import { type FileLock, lockOf } from '../lock/file-lock.js';
import { takeFree } from '../lock/hold.js';
import { checkRequest, type Request } from '../lock/options.js';
import { beginInstance } from './acquire-instance.js';
import { messageLine } from './message-line.js';
import { type CheckedInstanceOptions, checkInstanceOptions } from './options.js';
import { ANSWER_MILLISECONDS, sendUnlessFirst } from './send-message.js';

/** The lock, if this process becomes the first; else the answer of the first. */
export async function lockOrAnswer(
  path: unknown,
  message: unknown,
  options: unknown,
): Promise<FileLock<object> | InstanceAnswer> {
  const { file, onStale } = checkSendOptions(options);
  const { timeout, signal, ...rest } = file;
  const sending = {
    line: messageLine(message, 'message'),
    timeout: checkMilliseconds(timeout, 'options.timeout', ANSWER_MILLISECONDS),
    signal: checkSignal(signal),
  };
  const request = checkRequest(path, rest, 0);
  return sendUnlessFirst({ ...sending, path: request.path }, async () => {
    const lock = await takeOnce(request);
    return lock === null ? null : beginInstance(lock, onStale);
  });
}

function checkSendOptions(options: unknown): Pick<CheckedInstanceOptions, 'file' | 'onStale'> {
  const checked = checkInstanceOptions(options);
  if (checked.onMessage === undefined) {
    const rule = 'a function: the first instance receives messages with it';
    throw argumentError('ERR_INVALID_ARG_TYPE', 'options.onMessage', rule, undefined);
  }
  const { force, onWait, timeout } = options as Record<string, unknown>;
  for (const [name, value] of Object.entries({ force, onWait })) {
    if (value === undefined) continue;
    const rule = 'left out: a running instance gets the message';
    throw argumentError('ERR_INVALID_ARG_VALUE', `options.${name}`, rule, value);
  }
  return { ...checked, file: { ...checked.file, timeout: timeout as number | undefined } };
}

/**
 * One attempt. Other calls try a second time, because a probe may have had the
 * lock; here a false refusal costs only a connection, and the next attempt
 * follows within 50 ms.
 */
async function takeOnce(request: Request): Promise<FileLock<object> | null> {
  const taken = takeFree(request);
  if (taken === null) return null;
  if (!(taken instanceof LockFile)) return lockOf(request, taken) as FileLock<object>;
  taken.close();
  if (!taken.isRemote) return null;
  // No attempt was made, because it may hang; this makes it on another thread.
  try {
    return lockOf(request, await acquire(request)) as FileLock<object>;
  } catch (error) {
    if (isLockError(error, 'ERR_LOCK_HELD')) return null;
    throw error;
  }
}
