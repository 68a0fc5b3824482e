#!/usr/bin/env node
import { constants } from 'node:os';
import { Writable, type WritableOptions } from 'node:stream';
import { isatty } from 'node:tty';
import { lookAtCaller } from './caller.js';
import { standardError, standardOutput } from './descriptors.js';
import { inForeground } from './foreground.js';
import { main } from './main.js';
import { type Streams, say } from './streams.js';

const RUNS_COMMANDS = ['run', 'next-id', 'elect'];

const streams: Streams = {
  caller: RUNS_COMMANDS.includes(process.argv[2] ?? '') ? lookAtCaller() : undefined,
  // Opened only where it is read: the command that is run may want it.
  get stdin() {
    return isatty(0) ? process.stdin : undefined;
  },
  stdout: standardOutput(),
  stderr: standardError(),
  inForeground,
};
// Node opens a stream on standard error by itself: for a warning, and whenever
// a socket is destroyed.
if (!isatty(2)) {
  const write: WritableOptions['write'] = (chunk, _encoding, done) => {
    streams.stderr.write(String(chunk));
    done();
  };
  Object.defineProperty(process, 'stderr', { value: new Writable({ write }), configurable: true });
}
// Node would open its debugger, to which any user of this machine can connect.
// While a command runs there are other listeners, which pass the signal on.
process.on('SIGUSR1', () => {
  if (process.listenerCount('SIGUSR1') === 1) process.exit(128 + constants.signals.SIGUSR1);
});
// In the command's own words: Node's name its pid, and how to trace it.
process.removeAllListeners('warning');
process.on('warning', ({ name, message }) => {
  if (name === 'HoldfastWarning') say(streams, `Warning: ${message}`);
});
// Everything is written. Before Node ends by itself it takes its handlers of
// signals off, and one that came then would be the end that others see, in
// place of the command's.
process.exit(await main(process.argv.slice(2), streams));
