import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { readBounded } from '../base/bounded.js';
import { errnoOf } from '../base/errno.js';
import { LockUnsupportedError, systemError } from '../base/errors.js';
import type { FilePath } from '../base/paths.js';
import { mountOf } from '../base/proc.js';

/** Failures that may pass by the next call, by the loader's texts: it gives no code. */
const PASSING = [
  [/too many open files in system|^ENFILE/i, 'ENFILE'],
  [/too many open files/i, 'EMFILE'],
  // glibc says this for every mmap(2) that fails; for `noexec`, see
  // isMountedNoexec.
  [/(allocate|out of|not enough) memory|failed to map segment/i, 'ENOMEM'],
] as const;

interface Place {
  place: string;
  /** Why it cannot be opened. */
  refusal: NodeJS.ErrnoException | null;
}

/** What was tried. */
export interface Attempt {
  /** What the caller wants to lock. */
  path: FilePath;
  /** The package's own first. */
  folders: string[];
  /** Where the addon may be: what a search found, and the exact names. */
  places: string[];
  /** The folder comes from HOLDFAST_PREBUILD. */
  isGiven: boolean;
  exists: (path: string) => boolean;
}

/** Why the addon could not be loaded, and what to do. */
export function explainFailure(error: Error, attempt: Attempt): Error {
  const { path, folders, exists } = attempt;
  const tried = attempt.places.map((place) => ({ place, refusal: refusalOf(place) }));
  // In a folder that this user may not enter, nothing seems to exist. With no
  // descriptor left, no file can be opened, whether it exists or not.
  const there =
    tried.find(({ place }) => exists(place)) ??
    tried.find(({ refusal }) => !['ENOENT', 'ENOTDIR'].includes(refusal?.code ?? ''));
  const [reason, advice] = reasonOf(error, attempt, there);
  const [, passing] = PASSING.find(([words]) => words.test(reason)) ?? [];
  if (passing !== undefined) {
    const place = there?.place ?? folders[0] ?? '';
    return Object.assign(systemError(errnoOf(passing), 'dlopen', place), { cause: error });
  }
  const given = attempt.isGiven ? ' (from HOLDFAST_PREBUILD)' : '';
  const places = tried.map(({ place }) => place).join(', ');
  const message = [
    `Holdfast's native addon could not be loaded on ${process.platform}-${process.arch}, and without it there is no lock`,
    `  tried: ${places === '' ? 'nothing, because this bundle does not know its own path' : places}${given}`,
    `  reason: ${reason.trim().replaceAll(/\s*\n\s*/g, ' ')}`,
    '  what to do:',
    ...advice.map((each) => `    - ${each}`),
  ];
  return new LockUnsupportedError(path, message, error);
}

const BUILD =
  'run "npm ci && npm run build:native" in a clone of Holdfast (it needs python3, make and a C++ compiler), and set HOLDFAST_PREBUILD to the folder that holds its prebuilds folder';

/** Why there is no addon, and the advice that fits. */
function reasonOf(error: Error, attempt: Attempt, there: Place | undefined): [string, string[]] {
  const { code } = error as NodeJS.ErrnoException;
  const refusal = there?.refusal ?? null;
  if (code === 'ERR_DLOPEN_DISABLED') {
    return [
      error.message,
      ['start Node without --no-addons; where it runs with --permission, add --allow-addons'],
    ];
  }
  if (code === 'ERR_ACCESS_DENIED' || refusal?.code === 'ERR_ACCESS_DENIED') {
    const [folder = ''] = attempt.folders;
    return [
      'the permission model of Node does not allow reading the file',
      [`start Node with --allow-fs-read=${join(folder, '*')} and --allow-addons`],
    ];
  }
  if (there === undefined) return ['none of these files exists', adviceIfMissing(attempt)];
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
      'install the package again: the file is damaged or of another version, or it is for another system, processor or C library',
      `if it is for another: ${BUILD}`,
    ],
  ];
}

function adviceIfMissing({ folders, isGiven, exists }: Attempt): string[] {
  if (isGiven) {
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

/** Opens it as the loader would: the loader's own error has no code. */
function refusalOf(place: string): NodeJS.ErrnoException | null {
  try {
    closeSync(openSync(place, 'r'));
    return null;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
}

/** Then mmap(2) refuses to map it executable. Only Linux says which mount it is on. */
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
