import { isUtf8 } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { argumentError } from '../base/arguments.js';
import { errnoOf, flockError, openError } from '../base/errors.js';
import { checkFileName, isFileName } from '../base/file-name.js';
import { type Content, FOREIGN, parseContent, toOwnerRecord } from '../holders/owner-record.js';
import { isOwn } from '../holders/process-identity.js';
import {
  EXCLUSIVE,
  loadBinding,
  type NativeBinding,
  type NativeMode,
  SHARED,
} from '../native/binding.js';
import { primaryId } from './seat.js';
import { canPass } from './troubles.js';

export interface Member<T extends object = Record<string, unknown>> {
  id: string;
  /** `null` where its file does not tell. */
  pid: number | null;
  since: Date | null;
  /** It is in this very process (several members may be). */
  self: boolean;
  primary: boolean;
  data: Partial<T> | null;
}

const MISSING = errnoOf('ENOENT');
const SUFFIX = '.lock';

/** A member's id: the name of its file without the ending. */
export function checkId(value: unknown): string {
  const id = checkFileName(value, 'options.id', SUFFIX);
  if (isId(id)) return id;
  const rule = "a name that does not begin with '.'";
  throw argumentError('ERR_INVALID_ARG_VALUE', 'options.id', rule, id);
}

function isId(name: string): boolean {
  return !name.startsWith('.') && isFileName(name, SUFFIX);
}

/** Nine digits of base 36 last until the year 5188. */
export function newId(): string {
  return `${Date.now().toString(36).padStart(9, '0')}-${randomBytes(6).toString('hex')}`;
}

/** What {@link newId} makes, and nobody else. */
const MADE_HERE = /^[0-9a-z]{9}-[0-9a-f]{12}$/;

export function fileOf(directory: string, id: string): string {
  return join(directory, `${id}${SUFFIX}`);
}

/** The living, in order of id. Changes nothing. */
export function lookAtMembers<T extends object>(directory: string): Member<T>[] {
  const primary = primaryId(directory);
  const members: Member<T>[] = [];
  for (const id of idsIn(directory)) {
    const content = livingContent(fileOf(directory, id));
    if (content === null) continue;
    const record = toOwnerRecord<T>(content);
    members.push({
      id,
      pid: record?.pid ?? null,
      since: record?.since ?? null,
      self: content.owner !== null && isOwn(content.owner),
      primary: id === primary,
      data: record?.data ?? null,
    });
  }
  return members;
}

/** Of all files that may be those of members, alive or not. */
function idsIn(directory: string): string[] {
  let names: Buffer[];
  try {
    names = readdirSync(directory, { encoding: 'buffer' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  // Decoded, a name that is not UTF-8 would lead to another file.
  return names
    .filter((name) => isUtf8(name))
    .map((name) => name.toString())
    .filter((name) => name.endsWith(SUFFIX))
    .map((name) => name.slice(0, -SUFFIX.length))
    .filter(isId)
    .sort();
}

/**
 * What a living member's file says; `null`: it has no member. A file of another
 * program is not even locked for a moment, which might refuse that program.
 */
export function livingContent(path: string): Content | null {
  return whileOpen(path, (native, file) => {
    if (!isMembers(read(native, file)) || tryLock(native, file, SHARED, path)) return null;
    // Again: before, it may have been empty yet.
    const content = read(native, file);
    // A sweep has the file of a dead member for a moment.
    const dead = toOwnerRecord(content)?.running === false;
    return isMembers(content) && !dead ? content : null;
  });
}

/**
 * Removes the files that members left who were killed, and nothing else: those
 * whose record says that it is a member's, and, from between two steps of
 * making or removing one, those without a record whose name is an id that only
 * this package makes. A member with an `id` of the user's own that is killed
 * between two such steps leaves a file without a record, which the next one of
 * that id uses.
 *   1. We get its lock, so nobody lives by it.
 *   2. Meanwhile its name may have gone to the file of somebody new.
 *   3. So the path is compared, and removed as every lock file is, guarded.
 */
export function sweep(directory: string): void {
  for (const id of idsIn(directory)) {
    const path = fileOf(directory, id);
    const isLeft = (content: Content): boolean =>
      content.owner?.member === true || (content.ours && MADE_HERE.test(id));
    whileOpen(path, (native, file) => {
      if (!isLeft(read(native, file)) || !tryLock(native, file, EXCLUSIVE, path)) return;
      if (isLeft(read(native, file))) native.removeAtEnd(file);
    });
  }
}

/** Empty, or with a record of ours. A bare pid is that of another program. */
export function isMembers({ ours, owner }: Content): boolean {
  return ours && (owner === null || owner.since !== null);
}

/** `null` where there is no regular file, or none that this user may open. */
function whileOpen<R>(
  path: string,
  look: (native: NativeBinding, file: number) => R | null,
): R | null {
  const native = loadBinding(path);
  // Not opened, where it is a device: that alone may do something.
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) return null;
  const file = native.open(path, -1);
  if (file < 0) {
    const error = openError(-file, path);
    // One bad file does not hide the others; with no descriptor left all are.
    if (-file !== MISSING && canPass(error)) throw error;
    return null;
  }
  try {
    return look(native, file);
  } finally {
    native.release(file);
  }
}

function read(native: NativeBinding, file: number): Content {
  const text = native.read(file);
  return typeof text === 'string' ? parseContent(text) : FOREIGN;
}

function tryLock(native: NativeBinding, file: number, mode: NativeMode, path: string): boolean {
  const errno = native.tryLock(file, mode);
  if (errno !== 0 && errno !== errnoOf('EWOULDBLOCK')) throw flockError(errno, path);
  return errno === 0;
}
