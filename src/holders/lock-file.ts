import { readBounded } from '../base/bounded.js';
import { errnoOf } from '../base/errno.js';
import { flockError, LockLostError, openError, systemError } from '../base/errors.js';
import type { LockMode } from '../base/locker.js';
import { type FilePath, pathText } from '../base/paths.js';
import {
  EXCLUSIVE,
  IS_DIRECTORY,
  IS_READ_ONLY,
  IS_REMOTE,
  type NativeBinding,
  type NativeMode,
  RELEASE_STEPS,
  SHARED,
} from '../native/binding.js';
import { loadBinding } from '../native/load.js';
import { type Content, FOREIGN, parseContent, RECORD_LIMIT } from './owner-record.js';

/** What {@link LockFile.write} writes. */
export interface Writing {
  text: string;
  /** What a release leaves. */
  left: string;
  /** Guards against a process that hands the record over at this moment. */
  guarded: boolean;
}

/** An open lock file. */
export class LockFile {
  readonly native: NativeBinding;
  /** The id of the descriptor in the addon's table. */
  readonly id: number;
  /** Where it was opened. */
  readonly path: FilePath;
  /** Bits: `IS_DIRECTORY` and its siblings. */
  readonly traits: number;

  constructor(
    native: NativeBinding,
    id: number,
    path: FilePath,
    traits: number = native.traits(id),
  ) {
    this.native = native;
    this.id = id;
    this.path = path;
    this.traits = traits;
  }

  get isDirectory(): boolean {
    return (this.traits & IS_DIRECTORY) !== 0;
  }

  /** Neither written nor removed: a directory, or open for reading only. */
  get isFixed(): boolean {
    return (this.traits & (IS_DIRECTORY | IS_READ_ONLY)) !== 0;
  }

  /** On a network or FUSE file system, where even an attempt may hang. */
  get isRemote(): boolean {
    return (this.traits & IS_REMOTE) !== 0;
  }

  /** The file's size; negative when the path leads elsewhere. */
  size(): number {
    const size = this.native.compare(this.id);
    if (size < 0 && size !== -errnoOf('ESTALE')) throw systemError(-size, 'stat', this.path);
    return size;
  }

  /** Whether the path leads elsewhere; false where that cannot be seen. */
  isReplaced(): boolean {
    return this.native.compare(this.id) === -errnoOf('ESTALE');
  }

  /** False if either is closed. */
  isSame(other: LockFile): boolean {
    return this.native === other.native && this.native.sameFile(this.id, other.id);
  }

  /**
   * What the file says, wherever the path leads. Given the size, an empty file
   * and one that is too long cost no system call.
   */
  read(size?: number): Content {
    if (size === 0) return parseContent('');
    if (size !== undefined && size > RECORD_LIMIT) return FOREIGN;
    const text = this.native.read(this.id);
    if (typeof text === 'string') return parseContent(text);
    if (-text === errnoOf('EISDIR')) return FOREIGN;
    throw systemError(-text, 'read', this.path);
  }

  /** Makes `text` the content. */
  write({ text, left, guarded }: Writing): void {
    const errno = this.native.write(this.id, text, left, guarded);
    if (errno === 0) return;
    // A guarded write opens the file once more, by its path.
    if (errno === errnoOf('ESTALE') || (guarded && errno === errnoOf('ENOENT'))) throw this.lost();
    throw systemError(errno, 'write', this.path);
  }

  /** The error for a path that leads elsewhere. */
  lost(): LockLostError {
    const message = `${pathText(this.path)} is no longer the file that is locked`;
    return new LockLostError(this.path, message);
  }

  /** False: the lock is held in a conflicting mode. */
  tryLock(mode: NativeMode): boolean {
    const errno = this.native.tryLock(this.id, mode);
    if (errno !== 0 && errno !== errnoOf('EWOULDBLOCK')) throw flockError(errno, this.path);
    return errno === 0;
  }

  /** Removes the file when the lock is released. */
  removeAtEnd(): void {
    this.native.removeAtEnd(this.id);
  }

  /** Removes the record, unlocks and closes; throws the first failure. */
  release(): void {
    const result = this.native.release(this.id);
    if (result === 0) return;
    const step = RELEASE_STEPS[result >> 12] ?? 'close';
    throw systemError(result & 4095, step, this.path);
  }

  /** The same, ignoring failures. */
  close(): void {
    this.native.release(this.id);
  }
}

/** `null`: there is no file at `path`, and none is created. */
export function openExisting(path: FilePath): LockFile | null {
  const native = loadBinding(path);
  const id = native.open(path, -1);
  if (id > 0) return new LockFile(native, id, path);
  if (-id === errnoOf('ENOENT')) return null;
  throw openError(-id, path);
}

/** Calls `look` with the open file at `path`; `null`: there is none. */
export function whileOpen<R>(path: FilePath, look: (file: LockFile) => R): R | null {
  const file = openExisting(path);
  if (file === null) return null;
  try {
    return look(file);
  } finally {
    file.close();
  }
}

/**
 * Takes the lock of the file at `path` in `mode` for some microseconds, to see
 * whether it is held in a conflicting mode. `null`: there is no file.
 */
export function probe(path: FilePath, mode: NativeMode): 'free' | 'held' | null {
  return whileOpen(path, (file) => (file.tryLock(mode) ? 'free' : 'held'));
}

/** The mode in which the lock of the file at `path` is held, found in the same way. */
export function probeMode(path: FilePath): LockMode | null {
  return whileOpen(path, (file) => {
    // Shared holders do not refuse another one.
    if (!file.tryLock(SHARED)) return 'exclusive';
    return file.tryLock(EXCLUSIVE) ? null : 'shared';
  });
}

// A record that its holder writes at this moment can be seen torn.
const LOOKS = 3;

/** The record in a lock file; `null` where it cannot be read. */
export function readContent(path: FilePath): Content | null {
  try {
    let content: Content = FOREIGN;
    for (let look = 0; look < LOOKS && !content.ours; look++) {
      const bytes = readBounded(path, RECORD_LIMIT + 1);
      if (bytes.length > RECORD_LIMIT) return null;
      content = parseContent(bytes.toString());
    }
    return content;
  } catch {
    return null;
  }
}
