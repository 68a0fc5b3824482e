import { createInterface } from 'node:readline';
import { describeHolder, type Holder } from '../base/holder.js';
import type { FilePath } from '../base/paths.js';
import type { OwnerRecord } from '../holders/owner-record.js';
import { acquireInstance } from '../instance/acquire-instance.js';
import type { FileLock } from '../lock/file-lock.js';
import { usageError } from './exit-codes.js';
import type { RunOptions } from './run-options.js';
import { type Streams, say } from './streams.js';

/** Acquires the lock of `run --instance`. The command inherits it, so the file is kept. */
export async function acquire(
  path: FilePath,
  { instance, force, uid, yes, timeout }: RunOptions,
  options: object,
  streams: Streams,
  beforeAsking: () => void,
): Promise<FileLock> {
  const asks = force !== null && !yes;
  if (asks && streams.stdin?.isTTY !== true) {
    throw usageError(
      `--${force === 'steal' ? 'force' : 'terminate'} needs --yes without a terminal`,
      'run',
    );
  }
  const confirm = (holder: Holder, all: Holder[]): Promise<boolean> => {
    beforeAsking();
    return ask(force ?? 'steal', holder, all, streams);
  };
  return acquireInstance(path, {
    ...options,
    name: instance,
    // Without -w, an instance does not wait.
    timeout: timeout === Number.POSITIVE_INFINITY ? 0 : timeout,
    keepFile: true,
    onStale: (previous: OwnerRecord) => warnOfStale(previous, streams),
    ...(force === null ? {} : { force: { how: force, uid, ...(asks ? { confirm } : {}) } }),
  });
}

function warnOfStale({ pid, running }: OwnerRecord, streams: Streams): void {
  const why = running === false ? ', which is not running' : '';
  say(streams, `Warning: the last instance (pid ${pid}${why}) did not release its lock`);
}

async function ask(
  force: 'steal' | 'terminate',
  holder: Holder,
  all: Holder[],
  streams: Streams,
): Promise<boolean> {
  if (force === 'steal') {
    const who = describeHolder(holder);
    say(
      streams,
      `Warning: overriding the lock of ${who}, which keeps running; the two may conflict`,
    );
  } else {
    for (const each of all) say(streams, `Warning: ending ${describeHolder(each)}`);
  }
  const { stdin } = streams;
  if (stdin === undefined) return false;
  streams.stderr.write('Continue? [y/N] ');
  const lines = createInterface({ input: stdin });
  try {
    for await (const line of lines) return /^\s*y(es)?\s*$/i.test(line);
    return false;
  } finally {
    lines.close();
    // Leave the rest of the input to the command.
    stdin.pause();
  }
}
