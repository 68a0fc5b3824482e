import { existsSync } from 'node:fs';
import type { Holder } from '../base/holder.js';
import { monotonicTime } from '../base/timers.js';
import { executeInPlace, lockDescriptor } from '../lock/descriptor-lock.js';
import { FileLock } from '../lock/file-lock.js';
import { ownCommand } from '../native/own-command.js';
import type { Caller } from './caller.js';
import { cannotRun, programOf, runCommand } from './command.js';
import { EXIT, Exit } from './exit-codes.js';
import { isLockUrl } from './is-lock-url.js';
import { reportDuration, reportRefusal } from './refusal.js';
import { parseRun, type RunOptions } from './run-options.js';
import { type Streams, say } from './streams.js';
import { WaitingLine } from './waiting-line.js';
import { bytesOf, variable } from './words.js';

const LOSS_MILLISECONDS = 500;

/** `holdfast run`: as flock(1), and names the holder. */
export async function run(argv: string[], streams: Streams): Promise<number> {
  const options = parseRun(argv, variable('SHELL') || '/bin/sh');
  const { target, also } = options;
  if (also.length > 0) (await import('./run-also.js')).checkAlso(options);
  if (typeof target === 'number') return runOnDescriptor(options, target, streams);
  if (isLockUrl(target)) return (await import('./run-url.js')).runOnUrl(options, target, streams);
  const held = await acquireAll(options, target, streams);
  if (typeof held === 'number') return held;
  const { locks, environment: added = {} } = held;
  const [lock, ...others] = locks;
  try {
    if (options.unlock) lock.releaseSync();
    if (options.verbose) say(streams, `executing ${options.command[0]}`);
    const environment = { ...tokenOf(lock), ...added };
    if (options.inPlace) runInPlace(locks, options.command, environment, streams.caller);
    const watch = options.instance === null ? null : watchLoss(lock, options, streams);
    try {
      const fd = options.close || !lock.held ? null : lock.fd;
      return await runCommand(options.command, fd, {
        environment,
        caller: streams.caller,
        otherLocks: options.close ? [] : others.map((each) => each.fd),
      });
    } finally {
      clearInterval(watch ?? undefined);
    }
  } finally {
    // Do not release: a child that the command has left in the background holds
    // the lock while it has the descriptor, as with flock(1).
    for (const each of locks) if (each.held) each.detach();
  }
}

/** The locks, that of FILE first, and what the command is told in addition to the token. */
interface Held {
  locks: readonly [FileLock, ...FileLock[]];
  environment?: Readonly<Record<string, string>>;
}

/** Acquires one lock, one slot, or several locks. A number is an exit status. */
async function acquireAll(
  options: RunOptions,
  target: string,
  streams: Streams,
): Promise<Held | number> {
  const { also, slots } = options;
  if (slots !== null) {
    return (await import('./run-slots.js')).acquireSlot(slots, options, target, streams);
  }
  if (also.length === 0) return acquire(options, target, streams);
  for (const file of [target, ...also]) checkFile(file);
  return (await import('./run-also.js')).acquireWithOthers(options, target, streams);
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
): Promise<Held | number> {
  checkFile(path);
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
    return { locks: [lock] };
  } catch (error) {
    line?.end('refused');
    return reportRefusal(error, path, options, streams);
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
      const advice = `open one first, as in: (${ownCommand()} run ${fd}; …) ${fd}>FILE`;
      throw new Exit(EXIT.data, `${typed} is not an open file or folder; ${advice}`);
    }
    return reportRefusal(error, typed, options, streams);
  }
}

/** What the command sends along, so that receivers can refuse an earlier holder. */
function tokenOf(lock: FileLock): Record<string, string> {
  return lock.held ? { HOLDFAST_TOKEN: String(lock.token) } : {};
}

function runInPlace(
  locks: Held['locks'],
  command: string[],
  environment: Record<string, string>,
  caller: Caller | undefined,
): void {
  const [lock, ...others] = locks;
  const otherLocks = others.map(({ fd }) => fd);
  try {
    executeInPlace(locks, programOf(command, lock.fd, environment, caller, { otherLocks }));
  } catch (error) {
    throw cannotRun(command[0] ?? '', error);
  }
}
