import type { Socket } from 'node:net';
import { clearTimeout, setTimeout } from 'node:timers';
import { onAbort, throwIfAborted } from '../base/abort.js';
import { checkMilliseconds, checkOptions, checkSignal, optionNames } from '../base/arguments.js';
import { type InstanceAnswer, type InstanceSendOptions, LockStateError } from '../base/errors.js';
import { type FilePath, pathText } from '../base/paths.js';
import { LONGEST_TIMER, sleep } from '../base/timers.js';
import { holderInBurst, looksSoFar } from '../holders/who-holds.js';
import { Deadline } from '../lock/wait.js';
import { InstanceHandlerError, InstanceNoAnswerError } from './errors.js';
import { LineReader, messageLine, parseLine, toError } from './message-line.js';
import { checkMessagesWork, connectTo, isClosed, peerOf, socketPath } from './socket-file.js';

export const ANSWER_MILLISECONDS = 5000;
const LONGEST_PAUSE_MILLISECONDS = 50;
// ECONNREFUSED: nobody listens any more. EAGAIN: too many wait to be accepted.
const NOBODY: unknown[] = ['ENOENT', 'ECONNREFUSED', 'EAGAIN'];

const SEND_OPTIONS = optionNames<InstanceSendOptions>({ timeout: true, signal: true });

/** Why there was no answer. */
type Failure = 'nobody' | 'closed' | 'silent';
const REASONS: Record<Failure, string> = {
  nobody: 'it does not listen for messages',
  closed: 'it closes the connection without an answer',
  silent: 'it received the message, or will, but has not answered',
};

/** A message, its receiver, and how long to try. */
export interface Sending {
  /** The path of the lock. */
  path: FilePath;
  /** From {@link messageLine}. */
  line: string;
  timeout: number;
  signal: AbortSignal | undefined;
}

/** `AlreadyRunningError.send`. */
export async function sendMessage(
  path: FilePath,
  message: unknown,
  options: InstanceSendOptions | undefined,
): Promise<InstanceAnswer> {
  const { timeout, signal } = checkOptions(options, SEND_OPTIONS);
  const sending = {
    path,
    line: messageLine(message, 'message'),
    timeout: checkMilliseconds(timeout, 'options.timeout', ANSWER_MILLISECONDS),
    signal: checkSignal(signal),
  };
  const answer = await sendUnlessFirst(sending, async () => null);
  return answer as InstanceAnswer;
}

/**
 * Sends until there is an answer, unless `becomeFirst`, which is called before
 * each attempt, succeeds.
 *
 * The first instance may end at any moment: before it receives the message, or
 * before it has answered. Then the lock is free, so we try again at once, and a
 * message is lost only with its sender:
 *   1. We are refused: A holds the lock.
 *   2. A ends. B acquires, and does not listen yet.
 *   3. We connect: nobody listens (ENOENT, or A's socket: ECONNREFUSED).
 *   4. B listens, or ends as well. We try the lock again, and then its socket.
 */
export async function sendUnlessFirst<L>(
  sending: Sending,
  becomeFirst: () => Promise<L | null>,
): Promise<L | InstanceAnswer> {
  const { path, timeout, signal } = sending;
  checkMessagesWork(path);
  const deadline = new Deadline(timeout);
  const began = looksSoFar();
  let last: Failure | undefined;
  let pause = 0;
  for (;;) {
    throwIfAborted(signal);
    const first = await becomeFirst();
    if (first !== null) return first;
    const outcome = await exchange(sending, deadline);
    if (typeof outcome === 'object') return outcome;
    if (deadline.remaining === 0) {
      const holder = holderInBurst(path, began);
      throw new InstanceNoAnswerError(path, holder, timeout, REASONS[outcome]);
    }
    // Closed: the process or its instance has ended, so the lock is free. The
    // second time in a row, pause: something may accept and close each
    // connection.
    if (outcome !== 'closed' || last === 'closed') {
      pause = Math.min(Math.max(1, pause * 2), LONGEST_PAUSE_MILLISECONDS);
      await sleep(Math.min(pause, deadline.remaining), signal);
    }
    last = outcome;
  }
}

/** One connection: the message, and its answer. */
async function exchange(sending: Sending, deadline: Deadline): Promise<InstanceAnswer | Failure> {
  const socketFile = socketPath(sending.path);
  let socket: Socket;
  try {
    socket = await connectTo(socketFile, sending.path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (NOBODY.includes(code)) return 'nobody';
    if (isClosed(code)) return 'closed';
    throw error;
  }
  try {
    const { pid } = peerOf(socket, socketFile);
    const reply = await replyTo(sending, socket, deadline.remaining);
    return typeof reply === 'string' ? reply : answerIn(reply, sending.path, pid);
  } finally {
    socket.destroy();
  }
}

/** `line`: `null` if it is too long. */
type Reply = { line: string | null } | Failure;

function replyTo({ line, signal }: Sending, socket: Socket, milliseconds: number): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const reader = new LineReader();
    const isTimed = milliseconds < Number.POSITIVE_INFINITY;
    const timer = isTimed
      ? setTimeout(() => end('silent'), Math.min(milliseconds, LONGEST_TIMER))
      : undefined;
    const unlisten = onAbort(signal, () => {
      reject(signal?.reason);
      end('closed');
    });
    const end = (reply: Reply): void => {
      clearTimeout(timer);
      unlisten();
      resolve(reply);
    };
    // 'close' follows an error. The message may or may not have been received.
    socket.on('error', () => {});
    socket.once('close', () => end('closed'));
    socket.on('data', (chunk: Buffer) => {
      const received = reader.add(chunk);
      if (received !== undefined) end({ line: received });
    });
    socket.write(line);
  });
}

function answerIn(reply: { line: string | null }, path: FilePath, pid: number | null) {
  const parsed = reply.line === null ? null : parseLine(reply.line);
  if (parsed === null) {
    const message = `what listens at ${pathText(socketPath(path))} (pid ${pid ?? 'unknown'}) does not answer as an instance does`;
    throw new LockStateError(path, message);
  }
  if (!Object.hasOwn(parsed, 'error')) return { answer: parsed['answer'], pid };
  throw new InstanceHandlerError(path, pid, toError(parsed['error']));
}
