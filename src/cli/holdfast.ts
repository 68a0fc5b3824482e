#!/usr/bin/env node
import { main } from './main.js';
import type { Output } from './streams.js';

// A reader that has had enough (`| head -1`) ends the command as it would end
// any other: SIGPIPE, which Node ignores, is 13.
const BROKEN_PIPE = 128 + 13;

// Each stream is opened at its first use, which costs a millisecond or two.
process.exitCode = await main(process.argv.slice(2), {
  get stdin() {
    return process.stdin;
  },
  get stdout(): Output {
    return withErrors(process.stdout, () => process.exit(BROKEN_PIPE));
  },
  get stderr(): Output {
    return withErrors(process.stderr, () => {});
  },
});

function withErrors(stream: NodeJS.WriteStream, onError: () => void): NodeJS.WriteStream {
  if (stream.listenerCount('error') === 0) stream.on('error', onError);
  return stream;
}
