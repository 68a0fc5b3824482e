import type { FilePath } from '../base/paths.js';

/** The addon's values for a mode. */
export const SHARED = 1;
export const EXCLUSIVE = 2;
/** For `tryLock` alone. */
export const UNLOCKED = 0;
export type NativeMode = typeof SHARED | typeof EXCLUSIVE;

/** Bits of {@link NativeBinding.traits}. */
export const IS_DIRECTORY = 1;
export const IS_READ_ONLY = 2;
export const IS_REMOTE = 4;

/**
 * How {@link NativeBinding.take} and `begin` end. From 4096 on it is
 * `step * 4096 + errno`: see {@link TAKE_STEPS}.
 */
export const TAKEN = 0;
/** On a remote file system: no attempt was made. */
export const OPENED = 1;
export const REFUSED = 2;
/** The path leads elsewhere. There is no live id. */
export const REPLACED = 3;
/** Held, and at the path; {@link NativeBinding.read} gives the content of the file. */
export const CONTENT = 4;
/** Of `onSettled`: `begin` has not been called. */
export const NOT_BEGUN = -1;
export const TAKE_STEPS = [undefined, 'flock', 'stat', 'read', 'write'] as const;

/** What {@link NativeBinding.take} does with the file; added to the mode. */
export const WISHES = { json: 4, pid: 8, remove: 16, member: 32, private: 64 } as const;

/** Indexes into {@link NativeBinding.results}, which has what a status cannot say. */
export const ID = 0;
export const TOKEN = 1;
/** When the record was written; 0: there is none. */
export const SINCE = 2;
export const SIZE = 3;
export const TRAITS = 4;
/** Of {@link NativeBinding.peer}. */
export const PEER_PID = 5;
export const PEER_USER = 6;

/** The step of a release that failed: the result is `step * 4096 + errno`. */
export const RELEASE_STEPS = [undefined, 'write', 'unlink', 'flock', 'close'] as const;

/**
 * The whole surface of the addon. An `id` names a descriptor in the table of
 * this JavaScript thread and never recurs. A call with a dead id answers
 * `EBADF`, or does nothing. Errnos are positive; where a result has another
 * meaning as well, they are negative. These calls do not throw.
 */
export interface NativeBinding {
  /**
   * The id, or `-errno`; `ENXIO`: neither a regular file nor a directory.
   * Negative permissions: a missing file is not created.
   */
  open(path: FilePath, permissions: number): number;
  /**
   * Opens, locks without waiting, compares, and writes the record where the
   * file has only what a release leaves: what almost every acquire needs. One
   * of the statuses above, or `-errno` of the opening.
   */
  take(path: FilePath, permissions: number, wish: number, data: string | undefined): number;
  /**
   * What `take` does after locking, for a lock that was granted in another way.
   * Finishes a settled wait first.
   */
  begin(id: number, wish: number, data: string | undefined): number;
  /**
   * Call it before a wait: the addon then calls `begin` once the wait is granted,
   * and passes its status to `onSettled`.
   */
  beginWhenGranted(id: number, wish: number, data: string | undefined): void;
  /** The array that `take`, `begin` and `peer` fill in. Always the same one. */
  results(): Float64Array;
  /**
   * The parts of a JSON record that are the same for the whole process: up to the
   * date, and from after the user's fields up to the token.
   */
  identify(head: string, tail: string): boolean;
  /** Takes over a descriptor that already holds a lock. The id, or `-errno`. */
  adopt(fd: number, path: FilePath, mode: NativeMode): number;
  /** Takes a duplicate of a descriptor that stays the caller's. The id, or `-errno`. */
  borrow(fd: number, path: FilePath): number;
  /** Whether the table of any thread of this process has the descriptor. */
  owns(fd: number): boolean;
  traits(id: number): number;
  /** -1 for a dead id, and on Windows. */
  descriptor(id: number): number;
  /** The user that owned the file when it was opened; 0 on Windows. */
  owner(id: number): number;
  /** An errno. If it is refused, a lock that was held in another mode is lost. */
  tryLock(id: number, mode: NativeMode | typeof UNLOCKED): number;
  /** The file's size if the path leads to it, `-ESTALE` if not, or `-errno`. */
  compare(id: number): number;
  sameFile(id: number, other: number): boolean;
  /** The content as UTF-8, cut off above 64 KiB, or `-errno`. */
  read(id: number): string | number;
  /** Makes `text` the content; a release leaves `left`. An errno. */
  write(id: number, text: string, left: string, guarded: boolean): number;
  /** Writes now what a release would leave. An errno. */
  clear(id: number): number;
  /** Removes the file when the lock is released. */
  removeAtEnd(id: number): void;
  /** 0, or see {@link RELEASE_STEPS}. The id is dead afterwards. */
  release(id: number): number;
  /** Leaves the descriptor to the caller. The id is dead afterwards. */
  relinquish(id: number): void;
  /** Closes without unlocking. The id is dead afterwards. */
  detach(id: number): void;
  /** Whether this thread holds the file in a conflicting mode or waits for it. */
  blockedByItself(id: number, mode: NativeMode): boolean;
  /**
   * Call once, before the first wait. `callback` is called when a wait has
   * settled or ended. `status` is that of `begin`, or {@link NOT_BEGUN}.
   */
  onSettled(callback: (id: number, status: number) => void): boolean;
  /** Waits on a thread of its own. Not 0: not possible; poll instead. */
  startWaiting(id: number, mode: NativeMode, singleAttempt: boolean): number;
  /** The errno of a settled wait; 0: the lock is held. */
  finishWaiting(id: number, mode: NativeMode): number;
  /** The same, blocking this thread; -1: not settled, call again. */
  waitHere(id: number, mode: NativeMode, singleAttempt: boolean, milliseconds: number): number;
  /**
   * Releases what the wait may have been granted; the id is dead afterwards.
   * True: the waiting thread closes the descriptor, and then calls the callback
   * of `onSettled`.
   */
  cancelWaiting(id: number): boolean;
  /**
   * Puts a new file in the place of the opened one, locked exclusively and with
   * `text` in it; `temporary` is a path in the same folder. The new id, or
   * `-errno`: `ESTALE` where the path leads elsewhere, `ENOTSUP` where the
   * system cannot do it safely.
   */
  replace(id: number, temporary: FilePath, permissions: number, text: string): number;
  /**
   * The contents of files in a folder as Latin-1, each or `-errno`; `-EFBIG`
   * above 64 KiB. All are `-ENOTSUP` on Windows. A single number: `-ENOMEM`.
   */
  readFiles(folder: FilePath, names: readonly string[]): (string | number)[] | number;
  /** A descriptor of a process (not in the table), or `-errno`. */
  openProcess(pid: number): number;
  /** An errno. */
  signalProcess(process: number, signal: number): number;
  closeProcess(process: number): void;
  /**
   * Who is at the other end of a connected Unix socket: the process that called
   * connect(2) or listen(2) and its effective user, in `results`. An errno:
   * `ENOTCONN`, `ENOTSOCK`, `EBADF`; `ENOTSUP` on Windows. The pid is 0 for a
   * process that is not visible from this pid namespace.
   */
  peer(fd: number): number;
  /** 1 for a network or FUSE file system, else 0, or `-errno`. */
  remote(path: FilePath): number;
  /** Replaces the program of this process; returns the errno of the failure. */
  execute(program: NativeProgram): number;
  /**
   * Runs the program beside this process. The pid, or `-errno`; `-ENOTSUP`
   * except on Linux. `onEnd` is called once, with an exit status or the number
   * of the signal that ended it. Until then the pid is the program's; after
   * that, another process may get it.
   */
  spawn(program: NativeProgram, onEnd: (exited: boolean, status: number) => void): number;
  /**
   * On Linux: where a link leads, or the content of a file up to 1 MiB, of each
   * path, as Latin-1; empty: it cannot be read.
   */
  look?(paths: readonly string[]): string[];
  /**
   * On Linux: the first `most` descriptors of a process, or of this one (0), a
   * line each: the number; 1 for close-on-exec and 2 for O_NONBLOCK, of this
   * process only; and what is not a path, such as `pipe:[5]`. Empty where they
   * cannot be read.
   */
  descriptors?(pid: number, most: number): string;
}

/** A program, and what it inherits from this process. */
export interface NativeProgram {
  /** Its words; the first is searched for in the folders of PATH. */
  arguments: readonly FilePath[];
  /** What is added to the environment, as `NAME=value`. */
  added: readonly string[];
  /** Descriptors that it gets under their own numbers, in addition to 0 to 2. */
  kept: readonly number[];
  /** The lock's descriptor and the number that it gets; -1: no lock. */
  lock: number;
  lockNumber: number;
  /** Numbers of signals. */
  ignored: readonly number[];
  blocked: readonly number[];
  /** The soft limit of open files; -1: unchanged. */
  mostFiles: number;
  /** Bit N: standard stream N loses O_NONBLOCK. */
  blockingStreams: number;
  /**
   * Of `spawn`: the kernel kills the program when this process ends, in whatever
   * way. Not one that gains privileges by its exec, such as a setuid program, and
   * not what the program itself has started.
   */
  endWithParent: boolean;
}
