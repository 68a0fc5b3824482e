import { existsSync } from 'node:fs';
import { formatTimeout, isLockError, type LockError } from '../base/errors.js';
import { describeHolder, type Holder } from '../base/holder.js';
import { executeInPlace, lockDescriptor } from '../lock/descriptor-lock.js';
import { FileLock } from '../lock/file-lock.js';
import type { Caller } from './caller.js';
import { cannotRun, programOf, runCommand } from './command.js';
import { EXIT, Exit, exitCodeOf, messageOf } from './exit-codes.js';
import { parseRun, type RunOptions } from './run-options.js';
import { type Streams, say } from './streams.js';
import { WaitingLine } from './waiting-line.js';
import { bytesOf, variable } from './words.js';

const LOSS_MILLISECONDS = 500;

/** `holdfast run`: flock(1), and who holds it. */
export async function run(argv: string[], streams: Streams): Promise<number> {
  const options = parseRun(argv, variable('SHELL') || '/bin/sh');
  if (options === null) {
    streams.stdout.write((await import('./help.js')).RUN_HELP);
    return EXIT.ok;
  }
  const { target } = options;
  if (typeof target === 'number') return runOnDescriptor(options, target, streams);
  checkFile(target);
  const lock = await acquire(options, target, streams);
  if (typeof lock === 'number') return lock;
  try {
    if (options.unlock) lock.releaseSync();
    if (options.verbose) say(streams, `executing ${options.command[0]}`);
    if (options.inPlace) runInPlace(lock, options.command, streams.caller);
    const watch = options.instance === null ? null : watchLoss(lock, options, streams);
    try {
      const fd = options.close || !lock.held ? null : lock.fd;
      return await runCommand(options.command, fd, { caller: streams.caller });
    } finally {
      clearInterval(watch ?? undefined);
    }
  } finally {
    // Not release: a child that the command left behind in the background
    // holds the lock as long as it has the descriptor, as with flock(1).
    if (lock.held) lock.detach();
  }
}

/** An instance whose lock is overridden goes on, but it is told. */
function watchLoss(lock: FileLock, options: RunOptions, streams: Streams): NodeJS.Timeout {
  const watch = setInterval(() => {
    if (lock.isCurrent()) return;
    clearInterval(watch);
    const what = `the lock ${options.target} was replaced or removed`;
    say(streams, `Warning: ${what}: another ${options.instance} may be running`);
  }, LOSS_MILLISECONDS).unref();
  return watch;
}

/** What resolving the path would hide. */
function checkFile(target: string): void {
  if (target === '') throw new Exit(EXIT.cantCreate, 'cannot open a FILE without a name');
  if (target.endsWith('/') && !existsSync(bytesOf(target))) {
    throw new Exit(EXIT.cantCreate, `there is no folder ${target}`);
  }
}

async function acquire(
  options: RunOptions,
  path: string,
  streams: Streams,
): Promise<FileLock | number> {
  const { mode, timeout, quiet, verbose } = options;
  const line = quiet ? null : new WaitingLine(streams, path, timeout);
  const began = performance.now();
  try {
    const wait = {
      timeout,
      permissions: 0o666,
      onWait: (holder: Holder | null) => line?.begin(holder),
    };
    const data = Object.keys(options.data).length === 0 ? {} : { data: options.data };
    const lock =
      options.instance === null
        ? await FileLock.acquire(bytesOf(path), { ...wait, ...data, mode })
        : await (await import('./run-instance.js')).acquire(
            bytesOf(path),
            options,
            { ...wait, ...data },
            streams,
            () => line?.end(false),
          );
    line?.end(true);
    if (verbose) tellHowLong(began, streams);
    return lock;
  } catch (error) {
    line?.end(false);
    return refused(error, path, options, streams);
  }
}

async function runOnDescriptor(options: RunOptions, fd: number, streams: Streams): Promise<number> {
  const began = performance.now();
  const typed = `descriptor ${fd}`;
  try {
    await lockDescriptor(fd, options.unlock ? 'unlocked' : options.mode, options.timeout);
    if (options.verbose) tellHowLong(began, streams);
    return EXIT.ok;
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === 'EBADF' || code === 'ENXIO') {
      // Node has descriptors of its own at low numbers, none of a file or folder.
      const advice = `open one first, as in: (holdfast run ${fd}; …) ${fd}>FILE`;
      throw new Exit(EXIT.data, `${typed} is not an open file or folder; ${advice}`);
    }
    return refused(error, typed, options, streams);
  }
}

function tellHowLong(began: number, streams: Streams): void {
  const seconds = ((performance.now() - began) / 1000).toFixed(6);
  say(streams, `getting lock took ${seconds} seconds`);
}

/** Says who holds it; what is not a refusal is thrown on. */
function refused(error: unknown, typed: string, options: RunOptions, streams: Streams): number {
  if (error instanceof Exit) throw error;
  if (!isLockError(error, 'ERR_LOCK_HELD') && !isLockError(error, 'ERR_LOCK_TIMEOUT')) {
    throw new Exit(exitCodeOf(error), shorten(error, typed));
  }
  if (options.quiet) return options.conflictCode;
  const { holder, message } = error as LockError & { holder: Holder | null };
  if (options.instance !== null) {
    say(streams, message);
    if (holder !== null) say(streams, `${typed} is held by ${describeHolder(holder)}`);
    return options.conflictCode;
  }
  const late =
    error.code === 'ERR_LOCK_TIMEOUT' ? `gave up after ${formatTimeout(options.timeout)}: ` : '';
  say(streams, `${late}${typed} is held by ${describeHolder(holder)}`);
  if (typeof options.target === 'string') {
    const advice = late === '' ? 'wait with -w SECONDS, ' : '';
    say(streams, `command not run; ${advice}look with: holdfast status ${typed}`);
  }
  return options.conflictCode;
}

/** The message with the path as it was typed. */
function shorten(error: unknown, typed: string): string {
  const message = messageOf(error);
  const { path } = error as { path?: string };
  return path === undefined ? message : message.replaceAll(path, typed);
}

function runInPlace(lock: FileLock, command: string[], caller: Caller | undefined): void {
  try {
    executeInPlace(lock, programOf(command, lock.fd, {}, caller));
  } catch (error) {
    throw cannotRun(command[0] ?? '', error);
  }
}
