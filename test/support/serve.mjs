// The other side of remote.ts: a script, as a process or a worker thread, that
// answers calls, one message each, and tells events.
import { parentPort } from 'node:worker_threads';

const post = parentPort
  ? (message) => parentPort.postMessage(message)
  : (message) => process.connected && process.send(message);

/** An event for `Remote.event(name, about)`. */
export const tell = (event, about, value) => post({ event, about, value });

/** What a test asserts of an error, in a form that crosses the channel. */
export const plain = (error) => ({
  name: error?.name,
  message: error?.message,
  code: error?.code,
  errno: error?.errno,
  syscall: error?.syscall,
  path: error?.path,
  holder: error?.holder,
  timeout: error?.timeout,
  waited: error?.waited,
  conflicts: error?.conflicts,
  circle: error?.circle,
  cause: error?.cause && { code: error.cause.code, syscall: error.cause.syscall },
});

/** Ends the channel: a process with nothing else to do ends by itself. */
export const disconnect = () => (parentPort ? parentPort.close() : process.disconnect());

/** Answers calls of `methods` from now on. */
export function serve(methods) {
  (parentPort ?? process).on('message', async ({ id, method, args }) => {
    try {
      post({ id, value: await methods[method](...args) });
    } catch (error) {
      post({ id, error: plain(error) });
    }
  });
  if (parentPort === null) {
    process.on('warning', ({ code, message }) => tell('warning', code, message));
  }
  tell('ready');
}
