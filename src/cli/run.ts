import { existsSync } from 'node:fs';
import { formatTimeout, isLockError, type LockError } from '../base/errors.js';
import { describeHolder, type Holder } from '../base/holder.js';
import { monotonicTime } from '../base/timers.js';
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

/** `holdfast run`: as flock(1), and names the holder. */
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
    // Do not release: a child that the command has left in the background holds
    // the lock while it has the descriptor, as with flock(1).
    if (lock.held) lock.detach();
  }
}

/** Warns if the lock is lost. The command goes on. */
function watchLoss(lock: FileLock, options: RunOptions, streams: Streams): NodeJS.Timeout {
  const watch = setInterval(() => {
    if (lock.isCurrent()) return;
    clearInterval(watch);
    const what = `the lock file ${options.target} was replaced or removed`;
    say(streams, `Warning: ${what}; another ${options.instance} may be running`);
  }, LOSS_MILLISECONDS).unref();
  return watch;
}

/** Refuses paths whose mistake would be hidden by resolving them. */
function checkFile(target: string): void {
  if (target === '') throw new Exit(EXIT.cantCreate, 'FILE must not be empty');
  if (target.endsWith('/') && !existsSync(bytesOf(target))) {
    throw new Exit(EXIT.cantCreate, `the folder ${target} does not exist`);
  }
}

async function acquire(
  options: RunOptions,
  path: string,
  streams: Streams,
): Promise<FileLock | number> {
  const { mode, timeout, quiet, verbose } = options;
  const line = quiet ? null : new WaitingLine(streams, path, timeout);
  const began = monotonicTime();
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
            () => line?.end('refused'),
          );
    line?.end('granted');
    if (verbose) reportDuration(began, streams);
    return lock;
  } catch (error) {
    line?.end('refused');
    return refuse(error, path, options, streams);
  }
}

async function runOnDescriptor(options: RunOptions, fd: number, streams: Streams): Promise<number> {
  const began = monotonicTime();
  const typed = `descriptor ${fd}`;
  try {
    await lockDescriptor(fd, options.unlock ? 'unlocked' : options.mode, options.timeout);
    if (options.verbose) reportDuration(began, streams);
    return EXIT.ok;
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === 'EBADF' || code === 'ENXIO') {
      // Node has descriptors of its own at low numbers, but they are not files or folders.
      const advice = `open one first, as in: (holdfast run ${fd}; …) ${fd}>FILE`;
      throw new Exit(EXIT.data, `${typed} is not an open file or folder; ${advice}`);
    }
    return refuse(error, typed, options, streams);
  }
}

function reportDuration(began: number, streams: Streams): void {
  const seconds = ((monotonicTime() - began) / 1000).toFixed(6);
  say(streams, `getting lock took ${seconds} seconds`);
}

/** Reports a refusal and who holds the lock. Rethrows any other error as an {@link Exit}. */
function refuse(error: unknown, typed: string, options: RunOptions, streams: Streams): number {
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
    const advice = late === '' ? 'use -w SECONDS to wait, or ' : '';
    say(streams, `command not run; ${advice}see: holdfast status ${typed}`);
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
