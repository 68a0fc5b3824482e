import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { type AcquireOrSendOptions, InstanceLock, type OnMessage } from '../../src/instance.js';
import { instanceProgram } from './instance.js';
import type { Program } from './program.js';

/** Answers with what it was sent, and who sent it. */
export const echo: OnMessage = (message, { pid }) => ({ message, pid });

/** A first instance in this process. */
export async function firstHere(
  path: string | Buffer,
  onMessage: OnMessage = echo,
): Promise<InstanceLock> {
  const lock = await InstanceLock.acquire(path, { onMessage });
  onTestFinished(() => lock.releaseSync());
  return lock;
}

/** `acquireOrSend`, expected to send. */
export async function send(
  path: string | Buffer,
  message: unknown,
  options: Partial<AcquireOrSendOptions> = {},
): Promise<{ answer: unknown; pid: number | null }> {
  const { lock, ...answer } = await InstanceLock.acquireOrSend(path, message, {
    onMessage: echo,
    ...options,
  });
  if (lock === undefined) return answer as { answer: unknown; pid: number | null };
  lock.releaseSync();
  throw new Error('it became the first');
}

/** One in a process of its own; `handler` is the source of its `onMessage`. */
export async function firstProgram(
  path: string,
  handler = '(message, { pid }) => ({ message, pid })',
  options: Parameters<typeof instanceProgram>[2] = {},
): Promise<Program> {
  const program = instanceProgram(
    path,
    `const lock = await hold({ onMessage: ${handler} });`,
    options,
  );
  await program.says('held');
  return program;
}

/** A program that sends, and reports the result. */
export function sendingProgram(path: string, message: unknown, options = ''): Program {
  return instanceProgram(
    path,
    `const result = await InstanceLock.acquireOrSend(path, ${JSON.stringify(message)}, {
      onMessage: (message) => ({ message }), ${options}
    }).catch((error) => ({ error: error.code, text: error.message }));
    say(JSON.stringify(result.lock ? { first: true } : result));`,
  );
}

/** A client without Holdfast, and what it received at its end. */
export async function rawClient(
  path: string,
  text: string | null,
): Promise<{ socket: Socket; closed: Promise<string> }> {
  const socket = connect(`${path}.sock`);
  onTestFinished(() => void socket.destroy());
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  socket.on('error', () => {});
  const closed = new Promise<string>((resolve) => {
    socket.once('close', () => resolve(received));
  });
  await new Promise((resolve) => socket.once('connect', resolve));
  if (text !== null) socket.write(text);
  return { socket, closed };
}

/** A program of another user that starts second, having loaded the package before it became that. */
export function asUser(path: string, user: { uid: number; gid: number }): Program {
  const source = `
    process.setgroups([]);
    process.setgid(${user.gid});
    process.setuid(${user.uid});
    await InstanceLock.acquireOrSend(path, 'x', { onMessage() {}, timeout: 500 }).catch(tell);`;
  return instanceProgram(path, source);
}
