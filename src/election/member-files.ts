import { isUtf8 } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { argumentError } from '../base/argument-errors.js';
import { checkFileName, isFileName } from '../base/file-name.js';
import { withPath } from '../base/with-path.js';
import type { LockFile } from '../holders/lock-file.js';
import { type Content, toOwnerRecord } from '../holders/owner-record.js';
import { isOwn } from '../holders/running-process.js';
import { EXCLUSIVE, SHARED } from '../native/binding.js';
import { contentOf, whileOpenIfAllowed } from './open.js';
import { primaryId } from './seat.js';

/** A living member. For people and messages. */
export interface Member<T extends object = Record<string, unknown>> {
  /** Unique among the living members, except with a locker: there it is `hostname:pid`. */
  id: string;
  /** `null` if its file does not say. */
  pid: number | null;
  /** When it joined or, with a locker, acquired the lock; `null` if it is not known. */
  since: Date | null;
  /** Whether it is in this process, where several members may be. */
  self: boolean;
  /** Whether it has the seat. */
  primary: boolean;
  data: Partial<T> | null;
}

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

/** Only {@link newId} creates such ids. */
const CREATED_HERE = /^[0-9a-z]{9}-[0-9a-f]{12}$/;

export function fileOf(directory: string, id: string): string {
  return join(directory, `${id}${SUFFIX}`);
}

/** The living members, in order of id. Changes nothing. */
export function readMembers<T extends object>(directory: string): Member<T>[] {
  const primary = primaryId(directory);
  const members: Member<T>[] = [];
  for (const id of idsIn(directory)) {
    const content = readIfAlive(fileOf(directory, id));
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

/** The ids of all files that may belong to members, living or dead. */
function idsIn(directory: string): string[] {
  let names: Buffer[];
  try {
    names = readdirSync(directory, { encoding: 'buffer' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw withPath(error, directory);
  }
  // A name that is not UTF-8 would lead to another file once it is decoded.
  return names
    .filter((name) => isUtf8(name))
    .map((name) => name.toString())
    .filter((name) => name.endsWith(SUFFIX))
    .map((name) => name.slice(0, -SUFFIX.length))
    .filter(isId)
    .sort();
}

/**
 * The content of a living member's file, else `null`. A file of another program
 * is not even locked for a moment, because that could refuse the program.
 */
export function readIfAlive(path: string): Content | null {
  return whileOpenFile(path, (file) => {
    if (!isMembers(contentOf(file)) || file.tryLock(SHARED)) return null;
    // Read again: at first, the member may not have written its record yet.
    const content = contentOf(file);
    // A sweep holds the file of a dead member for a moment.
    const dead = toOwnerRecord(content)?.running === false;
    return isMembers(content) && !dead ? content : null;
  });
}

/**
 * Removes the files of members that were killed, and no others. Such a file has a
 * record that says it belongs to a member. A member killed between two steps of
 * creating or removing its file leaves it without a record: that file is removed
 * if its name is an id that only this package creates. With an `id` of the user's
 * own it stays, and the next member with that id uses it.
 *   1. We get the lock of the file, so its member is dead.
 *   2. In the meantime, a new member may have created a file under that name.
 *   3. So we compare the path with the file, and remove it with the same guard as
 *      every lock file.
 */
export function sweepMembers(directory: string): void {
  for (const id of idsIn(directory)) {
    const path = fileOf(directory, id);
    const isLeftBehind = (content: Content): boolean =>
      content.owner?.member === true || (content.ours && CREATED_HERE.test(id));
    whileOpenFile(path, (file) => {
      if (!isLeftBehind(contentOf(file)) || !file.tryLock(EXCLUSIVE)) return;
      if (isLeftBehind(contentOf(file))) file.native.removeAtEnd(file.id);
    });
  }
}

/** Empty, or with a record of Holdfast. A bare pid belongs to another program. */
export function isMembers({ ours, owner }: Content): boolean {
  return ours && (owner === null || owner.since !== null);
}

function whileOpenFile<R>(path: string, use: (file: LockFile) => R | null): R | null {
  // A device is not opened: opening one may have effects.
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) return null;
  return whileOpenIfAllowed(path, use);
}
