import { formatTimeout, LockError, setName } from '../base/errors.js';
import { describeHolder, type Holder, printable } from '../base/holder.js';
import { type FilePath, pathText } from '../base/paths.js';

/**
 * There was no answer to a message before the deadline. The message may have been
 * received, and may still be in progress.
 */
export class InstanceNoAnswerError<T extends object = Record<string, unknown>> extends LockError {
  /** Who held the lock at that moment; `null` where that is not known. */
  readonly holder: Holder<T> | null;
  /** The timeout of the call, in milliseconds. */
  readonly timeout: number;

  constructor(path: FilePath, holder: Holder<T> | null, timeout: number, reason: string) {
    const who = holder === null ? 'no holder can be seen' : `held by ${describeHolder(holder)}`;
    super(
      'ERR_INSTANCE_NO_ANSWER',
      path,
      `no answer from the instance that holds ${pathText(path)} within ${formatTimeout(timeout)}: ${reason}; ${who}`,
    );
    this.holder = holder;
    this.timeout = timeout;
  }
}
setName(InstanceNoAnswerError, 'InstanceNoAnswerError');

/**
 * The first instance received the message, and its `onMessage` threw, or
 * answered what cannot be sent. The message is not sent again.
 *
 * `cause`: an error with the name, message and code of the one that was thrown.
 */
export class InstanceHandlerError extends LockError {
  /** The first instance; `null` where this process cannot see it. */
  readonly pid: number | null;

  constructor(path: FilePath, pid: number | null, cause: Error) {
    const which = pid === null ? 'the first instance' : `the first instance (pid ${pid})`;
    super(
      'ERR_INSTANCE_HANDLER',
      path,
      `${which} failed to handle the message: ${printable(cause.message)}`,
      cause,
    );
    this.pid = pid;
  }
}
setName(InstanceHandlerError, 'InstanceHandlerError');
