#!/usr/bin/env node
import { constants } from 'node:os';
import type { Writable } from 'node:stream';
import { inspectCaller } from './caller.js';
import { standardError, standardOutput } from './descriptors.js';
import { inForeground } from './foreground.js';
import { isTerminal } from './is-terminal.js';
import { main, runsCommand } from './main.js';
import { type Streams, say } from './streams.js';

/** Loads node:stream only when it is called, because that takes milliseconds. */
function errorStream(): Writable {
  const { Writable } = process.getBuiltinModule('node:stream');
  return new Writable({
    write(chunk, _encoding, done) {
      streams.stderr.write(String(chunk));
      done();
    },
  });
}

const words = process.argv.slice(2);
const streams: Streams = {
  // Opened only when it is read: the command to run may need it.
  get stdin() {
    return isTerminal(0) ? process.stdin : undefined;
  },
  stdout: standardOutput(),
  stderr: standardError(),
  inForeground,
};
// Node itself opens a stream on standard error, for a warning and whenever a
// socket is destroyed. That would make a pipe non-blocking.
if (!isTerminal(2)) {
  let stream: Writable | undefined;
  Object.defineProperty(process, 'stderr', {
    get: () => {
      stream ??= errorStream();
      return stream;
    },
    configurable: true,
  });
}
// By default Node opens its debugger on this signal, and any user of this machine
// can connect to it. While a command runs, other listeners pass the signal on.
process.on('SIGUSR1', () => {
  if (process.listenerCount('SIGUSR1') === 1) process.exit(128 + constants.signals.SIGUSR1);
});
// Print warnings as messages of the command. Node's form has the pid and a hint on tracing.
process.removeAllListeners('warning');
process.on('warning', (warning: Error & { code?: string }) => {
  if (warning.name !== 'HoldfastWarning') return;
  // `claim` overwrites expired claims as a matter of course.
  const isReport = warning.code === 'HOLDFAST_CLAIM_EXPIRED';
  say(streams, isReport ? warning.message : `Warning: ${warning.message}`);
});
// Everything is written, so exit at once. When Node ends by itself, it removes its
// signal handlers first. A signal that came then would hide the exit status of
// the command. Node emits a warning in the next tick, so exit after it.
void Promise.resolve()
  // After this file: what is loaded late needs it whole.
  .then(() => {
    const caller = runsCommand(words) ? inspectCaller() : undefined;
    return main(words, Object.assign(streams, { caller }));
  })
  .then((status) => {
    process.nextTick(() => process.exit(status));
  });
