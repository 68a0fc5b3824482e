import { constants } from 'node:os';
import { createInterface } from 'node:readline';

export const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Whether there is a person to ask. */
export function isTerminal() {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** The end of the input means no; Ctrl-C ends the program, as usual. */
export async function confirmOnTerminal(question) {
  process.stderr.write(question);
  const lines = createInterface({ input: process.stdin, terminal: false });
  try {
    for await (const line of lines) return /^y(es)?$/i.test(line.trim());
    return false;
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}

/** Ends this program as the signal would; its handlers are removed by now. */
export function endBySignal(signal) {
  // The first process of a container ignores signals that it sends to itself.
  if (process.pid !== 1) process.kill(process.pid, signal);
  process.exit(128 + constants.signals[signal]);
}
