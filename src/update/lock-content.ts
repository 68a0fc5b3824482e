import { lstatSync, type Stats, statSync, unlinkSync } from 'node:fs';
import { type FilePath, joinPath } from '../base/paths.js';
import type { LockFile } from '../holders/lock-file.js';
import { parseContent, releasedContent } from '../holders/owner-record.js';

const NAME = /^\.holdfast-[0-9a-f]{16}\.new$/;
const STICKY = 0o1000;

/**
 * The content of an update's lock file: the name of its temporary file, written
 * before that is created and kept until it is renamed or removed. So the next
 * update removes the temporary file of a killed one, and no other:
 *   1. Two updates of one file have two lock files, by their `lockPath`.
 *   2. Both have a temporary file in the folder.
 *   3. The second must neither remove nor write into the first one's.
 *
 * Other content of the lock file is kept: a record, a token, content of other
 * programs. Nothing is written into a file of another program; then a kill can
 * leave a temporary file.
 */
export class LockContent {
  readonly #file: LockFile;
  readonly #isOurs: boolean;
  readonly #token: number;
  /** The content to restore after the update. */
  readonly #rest: string;
  /** Left by an update that was killed. */
  readonly #leftover: string | null;
  #marked: boolean;

  constructor(file: LockFile) {
    const size = file.size();
    if (size < 0) throw file.lost();
    const read = size === 0 ? '' : file.native.read(file.id);
    const text = typeof read === 'string' ? read : '';
    const { ours, owner, token } = parseContent(text);
    this.#file = file;
    this.#isOurs = typeof read === 'string' && ours && !file.isFixed;
    this.#token = token;
    this.#leftover = ours && owner === null ? nameIn(text) : null;
    this.#marked = this.#leftover !== null;
    // Without the mark of a killed update, and the newlines of one that was
    // killed in `clear`.
    this.#rest = owner !== null ? text : token > 0 ? releasedContent('json', token) : '';
  }

  /** Call before the temporary file is created. */
  mark(name: string): void {
    if (!this.#isOurs) return;
    const mark = { holdfast: { token: this.#token, temporary: name } };
    this.#write(`${JSON.stringify(mark)}\n`);
    this.#marked = true;
  }

  /** Call once the temporary file is gone. */
  clear(): void {
    if (!this.#marked || !this.#isOurs) return;
    try {
      this.#write(this.#rest);
      this.#marked = false;
    } catch {
      // The name of a file that does not exist does no harm.
    }
  }

  /** Removes what an update that was killed has left in `folder`. */
  removeLeftover(folder: FilePath, target: Stats | null): void {
    if (this.#leftover === null) return;
    try {
      const path = joinPath(folder, this.#leftover);
      if (!isRemovable(lstatSync(path), statSync(folder), target)) return;
      unlinkSync(path);
    } catch (error) {
      // It stays; the update goes on without it.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return;
    }
    this.clear();
  }

  /** A process that exits in the middle leaves the same: the file may be there. */
  #write(text: string): void {
    this.#file.write({ text, left: text, guarded: false });
  }
}

function nameIn(text: string): string | null {
  try {
    const name: unknown = JSON.parse(text).holdfast.temporary;
    return typeof name === 'string' && NAME.test(name) ? name : null;
  } catch {
    return null;
  }
}

/**
 * Others may be able to write into the lock file. Without the sticky bit, anyone
 * who may write into the folder may remove the file anyway; with it, only the
 * owner may. Root is not bound by that, so check it here.
 */
function isRemovable(file: Stats, folder: Stats, target: Stats | null): boolean {
  if (!file.isFile()) return false;
  if ((folder.mode & STICKY) === 0) return true;
  return [process.geteuid?.(), target?.uid, folder.uid].includes(file.uid);
}
