import {
  accessSync,
  chmodSync,
  constants,
  lstatSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { readText } from '../../base/bounded.js';
import { makeFolders } from '../../base/make-folders.js';

/** A file of the user's that an installation changes. */
export interface Target {
  /** As the host names it. */
  file: string;
  /** What is changed: where a symbolic link leads. */
  real: string;
  /** `null`: it does not exist. */
  text: string | null;
  mode: number;
}

/** Why nothing is changed. `kind`: the settings themselves, or the right to write them. */
export class CannotInstall extends Error {
  readonly kind: 'settings' | 'access';

  constructor(kind: 'settings' | 'access', message: string) {
    super(message);
    this.kind = kind;
  }
}

export function readTarget(file: string): Target {
  const real = realOf(file);
  try {
    const { mode } = statSync(real);
    return { file, real, text: readText(real), mode: mode & 0o777 };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { file, real, text: null, mode: 0o666 & ~process.umask() };
    throw new CannotInstall('access', `${file} cannot be read: ${message}`);
  }
}

function realOf(file: string): string {
  try {
    return realpathSync(file);
  } catch (error) {
    const link = lstatSync(file, { throwIfNoEntry: false });
    if (link?.isSymbolicLink() !== true) return file;
    const { message } = error as Error;
    throw new CannotInstall(
      'settings',
      `${file} is a symbolic link that leads nowhere: ${message}`,
    );
  }
}

/**
 * Call it before anything is written. Also checks the mode, since root may
 * write a read-only file.
 */
export function checkWritable({ file, real, text }: Target): void {
  if (text === null) return;
  try {
    const isLocked = (statSync(real).mode & 0o222) === 0;
    if (isLocked) throw new Error('no user has write permission');
    accessSync(real, constants.W_OK);
    accessSync(dirname(real), constants.W_OK);
  } catch (error) {
    const { message } = error as Error;
    throw new CannotInstall('access', `${file} is read-only, so nothing was changed: ${message}`);
  }
}

/** Replaces the file in one step; `null` removes it. */
export function writeTarget({ real, mode }: Target, text: string | null): void {
  if (text === null) {
    rmSync(real, { force: true });
    return;
  }
  const temporary = `${real}.holdfast-${process.pid}.tmp`;
  try {
    makeFolders(dirname(real));
    writeFileSync(temporary, text, { flag: 'wx' });
    chmodSync(temporary, mode);
    renameSync(temporary, real);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new CannotInstall('access', `${real} cannot be written: ${(error as Error).message}`);
  }
}
