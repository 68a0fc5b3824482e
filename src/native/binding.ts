import { closeSync, existsSync, openSync } from 'node:fs';
// By its default export: webpack follows an imported createRequire, and takes
// what is required through it for a part of the bundle.
import Module from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readBounded } from '../base/bounded.js';
import { errnoOf, LockUnsupportedError, systemError } from '../base/errors.js';
import type { FilePath } from '../base/paths.js';
import { mountOf } from '../base/proc.js';

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
  /** The user that owned the file when it was opened; 0 on Windows. */
  owner(id: number): number;
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
  /** Replaces the program of this process; returns the errno of the failure. */
  execute(program: NativeProgram): number;
  /**
   * Runs the program beside this process. The pid, or `-errno`; `-ENOTSUP` but
   * on Linux. `onEnd` is called once, with an exit status or the number of the
   * signal that ended it; until then the pid is the program's, and from then on
   * perhaps another's.
   */
  spawn(program: NativeProgram, onEnd: (exited: boolean, status: number) => void): number;
}

/** A program, and what it inherits of this process. */
export interface NativeProgram {
  /** Its words; the first is looked for in the folders of PATH. */
  arguments: readonly FilePath[];
  /** What is added to the environment, as `NAME=value`. */
  added: readonly string[];
  /** Descriptors that it gets under their own numbers, beside 0 to 2. */
  kept: readonly number[];
  /** The lock's descriptor and the number that it gets; -1 for none. */
  lock: number;
  lockNumber: number;
  /** Numbers of signals. */
  ignored: readonly number[];
  blocked: readonly number[];
  /** The soft limit of open files; -1: as it is. */
  mostFiles: number;
  /** Bit N: O_NONBLOCK is taken off standard stream N. */
  blockingStreams: number;
}

let binding: NativeBinding | undefined;

/**
 * The addon, loaded at the first call: importing the package never fails, and
 * a load that failed is tried again at the next call. Throws `EMFILE`, `ENFILE`
 * or `ENOMEM` where the system lacks what loading takes, and otherwise
 * `LockUnsupportedError`; `path` is what was to be locked.
 */
export function loadBinding(path: FilePath): NativeBinding {
  if (binding !== undefined) return binding;
  const folders = roots();
  try {
    binding = load(folders);
  } catch (error) {
    throw failureOf(path, folders, error as Error);
  }
  return binding;
}

const givenFolder = (): string => process.env['HOLDFAST_PREBUILD'] ?? '';

/** Where this code is: the file itself, or the bundle that it is a part of. */
function ownFiles(): string[] {
  const url: string | undefined = import.meta.url;
  const files = url?.startsWith('file:') === true ? [fileURLToPath(url)] : [];
  try {
    // A bundle of CommonJS. There import.meta.url is empty, or (webpack) where
    // this file was when the bundle was made.
    files.push(__filename);
  } catch {
    // A module. Not asked with typeof: webpack takes the answer for known, and is wrong.
  }
  return files;
}

/**
 * The folder of this file, for those who bundle, and the two above it: of
 * dist/core.js, and of src/native/binding.ts.
 */
function roots(): string[] {
  if (givenFolder() !== '') return [resolve(givenFolder())];
  const folders = ownFiles().map((file) => dirname(file));
  return [
    ...new Set(folders.flatMap((folder) => [dirname(folder), folder, dirname(dirname(folder))])),
  ];
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
  const place = placesIn(folders).find(exists);
  const found = place === undefined ? search(folders) : Module.createRequire(place)(place);
  if (typeof (found as NativeBinding).startWaiting === 'function') return found as NativeBinding;
  throw new Error(`${place ?? 'what node-gyp-build found'} is not an addon of Holdfast`);
}

/** Under the permission model, existsSync throws. */
function exists(path: string): boolean {
  try {
    return existsSync(path);
  } catch {
    return false;
  }
}

/** Under other names, as prebuildify can give them. */
function search([root]: string[]): unknown {
  if (root === undefined) throw new Error('it is not known where this file is');
  const from = ownFiles()[0] ?? join(root, 'holdfast.js');
  return Module.createRequire(from)('node-gyp-build')(root);
}

/** How the loader says what may have passed at the next call; there is no code for it. */
const PASSING = [
  [/too many open files in system|^ENFILE/i, 'ENFILE'],
  [/too many open files/i, 'EMFILE'],
  // glibc says no more of any mmap(2) that fails; for `noexec`, see isMountedNoexec.
  [/(allocate|out of|not enough) memory|failed to map segment/i, 'ENOMEM'],
] as const;

interface Place {
  place: string;
  /** Why it cannot be opened. */
  refusal: NodeJS.ErrnoException | null;
}

function failureOf(path: FilePath, folders: string[], error: Error): Error {
  const tried = placesIn(folders).map((place) => ({ place, refusal: refusalOf(place) }));
  // Behind a folder that may not be entered, nothing seems to exist. With no
  // descriptor left, no file can be opened, whether it exists or not.
  const there =
    tried.find(({ place }) => exists(place)) ??
    tried.find(({ refusal }) => !['ENOENT', 'ENOTDIR'].includes(refusal?.code ?? ''));
  const [reason, advice] = reasonOf(error, folders, there);
  const [, passing] = PASSING.find(([words]) => words.test(reason)) ?? [];
  if (passing !== undefined) {
    const place = there?.place ?? folders[0] ?? '';
    return Object.assign(systemError(errnoOf(passing), 'dlopen', place), { cause: error });
  }
  const given = givenFolder() === '' ? '' : ' (from HOLDFAST_PREBUILD)';
  const places = tried.map(({ place }) => place).join(', ');
  const message = [
    `Holdfast's native addon could not be loaded on ${process.platform}-${process.arch}, and without it there is no lock`,
    `  tried: ${places === '' ? 'nothing, because this bundle does not know its own path' : places}${given}`,
    `  reason: ${reason.trim().replaceAll(/\s*\n\s*/g, ' ')}`,
    '  what to do:',
    ...advice.map((each) => `    - ${each}`),
  ].join('\n');
  return new LockUnsupportedError(path, message, error);
}

const BUILD =
  'run "npm ci && npm run build:native" in a clone of Holdfast (it needs python3, make and a C++ compiler), and set HOLDFAST_PREBUILD to the folder that holds its prebuilds folder';

/** Why there is no addon, and only such advice as fits. */
function reasonOf(error: Error, folders: string[], there: Place | undefined): [string, string[]] {
  const { code } = error as NodeJS.ErrnoException;
  const refusal = there?.refusal ?? null;
  if (code === 'ERR_DLOPEN_DISABLED') {
    return [
      error.message,
      ['start Node without --no-addons; where it runs with --permission, add --allow-addons'],
    ];
  }
  if (code === 'ERR_ACCESS_DENIED' || refusal?.code === 'ERR_ACCESS_DENIED') {
    const [folder = ''] = folders;
    return [
      'the permission model of Node does not allow reading the file',
      [`start Node with --allow-fs-read=${join(folder, '*')} and --allow-addons`],
    ];
  }
  if (there === undefined) return ['none of these files exists', adviceIfMissing(folders)];
  if (refusal !== null) {
    const denied = refusal.code === 'EACCES' || refusal.code === 'EPERM';
    const readable = 'let the user that runs this program read the file and enter its folders';
    return [refusal.message, [denied ? readable : 'install the package again']];
  }
  if (isMountedNoexec(there.place)) {
    return [
      `${there.place} is on a file system that is mounted with noexec`,
      [
        'copy the prebuilds folder to a file system without noexec, and set HOLDFAST_PREBUILD to the folder that holds it',
      ],
    ];
  }
  return [
    error.message,
    [
      'install the package again: the file is damaged, or it is for another system, processor or C library',
      `if it is for another: ${BUILD}`,
    ],
  ];
}

function adviceIfMissing(folders: string[]): string[] {
  if (givenFolder() !== '') {
    return ['set HOLDFAST_PREBUILD to the folder that holds the prebuilds folder', BUILD];
  }
  if (folders.some((folder) => exists(join(folder, 'prebuilds')))) {
    return [`there is no prebuild for this platform: ${BUILD}`];
  }
  return [
    'if the package was bundled or copied: put its prebuilds folder beside the folder of the bundle, or set HOLDFAST_PREBUILD to the folder that holds it, or leave the package out of the bundle',
    'otherwise: install the package again',
  ];
}

/** Opens it as the loader would, whose answer has no code. */
function refusalOf(place: string): NodeJS.ErrnoException | null {
  try {
    closeSync(openSync(place, 'r'));
    return null;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
}

/** Then mmap(2) refuses to run it, and only Linux tells which mount it is. */
function isMountedNoexec(place: string): boolean {
  let fd: number;
  try {
    fd = openSync(place, 'r');
  } catch {
    return false;
  }
  const info = readOwn(`/proc/self/fdinfo/${fd}`);
  closeSync(fd);
  const mount = mountOf(info, readOwn('/proc/self/mountinfo'));
  return mount?.options.includes('noexec') === true;
}

const LONGEST_TABLE = 1024 * 1024;

function readOwn(path: string): string {
  try {
    return readBounded(path, LONGEST_TABLE).toString();
  } catch {
    return '';
  }
}
