#!/usr/bin/env node
import { lookAtCaller } from './caller.js';
import { EXIT } from './exit-codes.js';
import { main } from './main.js';
import type { Output } from './streams.js';

// A reader that has had enough (`| head -1`) ends the command as it would end
// any other: SIGPIPE, which Node ignores, is 13.
const BROKEN_PIPE = 128 + 13;

const RUNS_COMMANDS = ['run', 'next-id', 'elect'];

// Each stream is opened at its first use, which costs a millisecond or two.
const status = await main(process.argv.slice(2), {
  caller: RUNS_COMMANDS.includes(process.argv[2] ?? '') ? lookAtCaller() : undefined,
  get stdin() {
    return process.stdin;
  },
  get stdout(): Output {
    return withErrors(process.stdout, onLoss);
  },
  get stderr(): Output {
    return withErrors(process.stderr, () => {});
  },
});
// Before it ends by itself, Node takes its handlers of signals off, and one that
// came then would be the end that others see, in place of the command's. Not on
// Windows, where what is still in a pipe would be lost.
const isCommand = RUNS_COMMANDS.includes(process.argv[2] ?? '');
if (isCommand && process.platform !== 'win32') process.exit(status);
process.exitCode = status;

function onLoss(error: NodeJS.ErrnoException): never {
  if (error.code === 'EPIPE') process.exit(BROKEN_PIPE);
  process.stderr.write(`holdfast: cannot write: ${error.message}\n`);
  process.exit(EXIT.inputOutput);
}

function withErrors(
  stream: NodeJS.WriteStream,
  onError: (error: NodeJS.ErrnoException) => void,
): NodeJS.WriteStream {
  if (stream.listenerCount('error') === 0) stream.on('error', onError);
  return stream;
}
