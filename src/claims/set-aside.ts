import { lstatSync, renameSync, type Stats } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { argumentError } from '../base/argument-errors.js';
import { commandName } from '../base/command-name.js';
import { errnoOf } from '../base/errno.js';
import { LockStateError, systemError } from '../base/errors.js';
import { printable } from '../base/holder.js';
import { probe } from '../holders/lock-file.js';
import { SHARED } from '../native/binding.js';
import { CLAIM_SUFFIX } from './claim-file.js';
import type { ClaimsFolder } from './folder.js';

// Whoever writes a file by hand has finished it by then.
const YOUNG_MILLISECONDS = 60_000;
const INVALID_SUFFIX = '.invalid';

/** The name of a claim's file in the folder, given as a name or a path. */
export function claimFileName(directory: string, file: unknown): string {
  if (typeof file !== 'string') {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'file', 'a string', file);
  }
  const name = basename(file);
  const isInFolder = file === name || dirname(resolve(file)) === directory;
  if (!isInFolder || !name.endsWith(CLAIM_SUFFIX) || name.startsWith('.')) {
    const rule = `a file of ${directory} whose name ends in ${CLAIM_SUFFIX}`;
    throw argumentError('ERR_INVALID_ARG_VALUE', 'file', rule, file);
  }
  return name;
}

export function noSuchFile(directory: string, name: string): never {
  throw systemError(errnoOf('ENOENT'), 'lstat', join(directory, name));
}

/** In the exclusive section of the folder. Returns the new path. */
export function setAside(folder: ClaimsFolder, name: string): string {
  const agent = name.slice(0, -CLAIM_SUFFIX.length);
  const file = folder.fileOf(agent);
  const stats = lstatSync(file);
  const found = folder.find(agent);
  const refuse = (reason: string): LockStateError =>
    new LockStateError(file, `${printable(file)} was not set aside: ${reason}`);
  if (found !== null && found.state !== 'invalid') {
    const owner = printable(agent);
    throw refuse(`it is a valid claim; see: ${commandName()} claim release --agent ${owner}`);
  }
  const age = ageOf(stats);
  if (age < YOUNG_MILLISECONDS) {
    const left = Math.ceil((YOUNG_MILLISECONDS - age) / 1000);
    throw refuse(`it was changed less than a minute ago, and may be unfinished; wait ${left}s`);
  }
  if (stats.isFile()) checkUnlocked(file, refuse);
  const target = freeName(`${file}${INVALID_SUFFIX}`);
  renameSync(file, target);
  return target;
}

/** By its status, if the time of its content lies in the future: no age would ever do. */
function ageOf({ mtimeMs, ctimeMs }: Stats): number {
  const age = Date.now() - mtimeMs;
  return age >= 0 ? age : Date.now() - ctimeMs;
}

function checkUnlocked(file: string, refuse: (reason: string) => Error): void {
  let state: ReturnType<typeof probe>;
  try {
    state = probe(file, SHARED);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw refuse(`it cannot be opened (${code}), so it is unknown whether it is locked`);
  }
  if (state === 'held') throw refuse('it is locked, so a process still uses it; end that first');
}

function freeName(wanted: string): string {
  let name = wanted;
  for (let more = 2; lstatSync(name, { throwIfNoEntry: false }) !== undefined; more++) {
    name = `${wanted}.${more}`;
  }
  return name;
}
