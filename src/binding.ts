import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LockUnsupportedError } from './errors.js';
import type { FilePath } from './paths.js';

/** How the addon writes a mode. */
export const SHARED = 1;
export const EXCLUSIVE = 2;
/** For `tryLock` alone. */
export const UNLOCKED = 0;
export type NativeMode = typeof SHARED | typeof EXCLUSIVE;

/** Bits of {@link NativeBinding.traits}. */
export const IS_DIRECTORY = 1;
export const IS_READ_ONLY = 2;
export const IS_REMOTE = 4;

/** Which step of a release failed: the result is `step * 4096 + errno`. */
export const RELEASE_STEPS = [undefined, 'write', 'unlink', 'flock', 'close'] as const;

/**
 * The whole surface of the addon. An `id` names a descriptor in the table of
 * this JavaScript thread and is never used again; a dead one is `EBADF`, or
 * nothing happens. Errnos are positive; a result that can also be something
 * else has them negative. None of these calls throws.
 */
export interface NativeBinding {
  /**
   * The id, or `-errno`; `ENXIO`: neither a regular file nor a directory.
   * Negative permissions: a missing file is not created.
   */
  open(path: FilePath, permissions: number): number;
  /** Takes over a descriptor that holds a lock already. The id, or `-errno`. */
  adopt(fd: number, path: FilePath, mode: NativeMode): number;
  /** A duplicate of a descriptor that stays the caller's. The id, or `-errno`. */
  borrow(fd: number, path: FilePath): number;
  /** Whether the table of any thread of this process has the descriptor. */
  owns(fd: number): boolean;
  traits(id: number): number;
  /** -1 for a dead id, and on Windows. */
  descriptor(id: number): number;
  /** An errno. Refused, a lock that was held in another mode is gone. */
  tryLock(id: number, mode: NativeMode | typeof UNLOCKED): number;
  /** The file's size if the path leads to it, `-ESTALE` if not, or `-errno`. */
  compare(id: number): number;
  sameFile(id: number, other: number): boolean;
  /** The content as UTF-8, cut off above 64 KiB, or `-errno`. */
  read(id: number): string | number;
  /** Makes `text` the content; `left` is what a release leaves. An errno. */
  write(id: number, text: string, left: string, guarded: boolean): number;
  /** Writes now what a release would leave. An errno. */
  clear(id: number): number;
  /** The file goes with the lock. */
  removeAtEnd(id: number): void;
  /** 0, or see {@link RELEASE_STEPS}. The id is dead afterwards. */
  release(id: number): number;
  /** Leaves the descriptor to the caller. The id is dead afterwards. */
  forget(id: number): void;
  /** Closes without unlocking. The id is dead afterwards. */
  detach(id: number): void;
  /** Whether this thread holds the file in a conflicting mode or waits for it. */
  blockedByItself(id: number, mode: NativeMode): boolean;
  /** Once, before the first wait: what to call when a wait has settled or ended. */
  onSettled(callback: (id: number) => void): boolean;
  /** Waits on a thread of its own. Not 0: not possible, poll. */
  startWaiting(id: number, mode: NativeMode, singleAttempt: boolean): number;
  /** The errno of a settled wait; 0: the lock is held. */
  finishWaiting(id: number, mode: NativeMode): number;
  /** The same, blocking this thread; -1: not settled, call again. */
  waitHere(id: number, mode: NativeMode, singleAttempt: boolean, milliseconds: number): number;
  /**
   * Gives back whatever came of the wait; the id is dead afterwards. True: the
   * descriptor is being closed on the waiting thread, and the callback of
   * `onSettled` tells when that has been done.
   */
  cancelWaiting(id: number): boolean;
  /**
   * Puts a new file, locked exclusively and with `text` in it, in the place of
   * the opened one; `temporary` is a name beside it. The new id, or `-errno`: `ESTALE` where
   * the path leads elsewhere, `ENOTSUP` where it cannot be done safely.
   */
  replace(id: number, temporary: FilePath, permissions: number, text: string): number;
  /** A descriptor of a process (not in the table), or `-errno`. */
  openProcess(pid: number): number;
  /** An errno. */
  signalProcess(process: number, signal: number): number;
  closeProcess(process: number): void;
  /** 1 for a network or FUSE file system, else 0, or `-errno`. */
  remote(path: FilePath): number;
  /** Replaces the program; returns the errno of the failure. */
  execute(file: FilePath, argv: FilePath[], inheritedFd: number): number;
}

let binding: NativeBinding | undefined;

/**
 * The addon, loaded at the first call: importing the package never fails.
 * Throws `LockUnsupportedError` where there is none for this platform; `path`
 * is what was to be locked.
 */
export function loadBinding(path: FilePath): NativeBinding {
  if (binding !== undefined) return binding;
  try {
    binding = load(roots());
  } catch (error) {
    throw new LockUnsupportedError(path, explainFailure(error), error);
  }
  return binding;
}

/** Above the folder of this file, and beside it, for those who bundle. */
function roots(): string[] {
  const given = process.env['HOLDFAST_PREBUILD'];
  if (given !== undefined && given !== '') return [resolve(given)];
  return ['..', '.'].map((place) => fileURLToPath(new URL(place, import.meta.url)));
}

/** Where the addon is looked for by its exact name. */
function placesIn(folders: string[]): string[] {
  const names = ['build/Release', `prebuilds/${process.platform}-${process.arch}`];
  return folders.flatMap((each) => names.map((name) => join(each, name, 'holdfast.node')));
}

/**
 * By its exact name first, which takes a tenth of the time of node-gyp-build's
 * search, and finds no addon of somebody else's where the package was bundled
 * into another one.
 */
function load(folders: string[]): NativeBinding {
  const [root] = folders as [string];
  // Bundled as CommonJS there is no URL of this file.
  const require = createRequire(import.meta.url ?? join(root, 'holdfast.js'));
  const place = placesIn(folders).find(existsSync);
  const found = place === undefined ? require('node-gyp-build')(root) : require(place);
  if (typeof (found as NativeBinding).startWaiting === 'function') return found as NativeBinding;
  throw new Error(`the addon found from ${root} is not that of Holdfast`);
}

function explainFailure(error: unknown): string {
  const other = process.env['HOLDFAST_PREBUILD'];
  const given = other === undefined || other === '' ? '' : ' (from HOLDFAST_PREBUILD)';
  // Bundled as CommonJS there is no URL to look from.
  const bundled = import.meta.url === undefined && given === '';
  const tried = bundled
    ? ['nothing, for this bundle does not know where it is']
    : placesIn(roots());
  const reason = error instanceof Error ? error.message.trim() : String(error);
  return [
    `Holdfast's native addon could not be loaded on ${process.platform}-${process.arch}, and without it there is no lock`,
    `  tried: ${tried.join(', ')}${given}`,
    `  reason: ${reason.replaceAll('\n', ' ')}`,
    '  what to do:',
    '    - if the package was bundled or copied: keep its prebuilds folder beside its dist folder, or leave it out of the bundle',
    '    - if there is no prebuild for this platform: run "npm ci && npm run build:native" in a clone of Holdfast, which uses node-gyp (python3, make and a C++ compiler are needed)',
    '    - if you have built it elsewhere: set HOLDFAST_PREBUILD to the folder that holds its prebuilds folder',
  ].join('\n');
}
