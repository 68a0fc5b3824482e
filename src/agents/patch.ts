import { isAbsolute, resolve, sep } from 'node:path';
import { RealPaths } from '../claims/real-path.js';

// Hosts strip the line, and what is after the colon.
const PATCHED = /^\s*\*\*\* (?:(?:Add|Update|Delete) File|Move to):(.*)$/s;

/**
 * All files that a patch adds, changes, deletes or moves to. Lines of its
 * content that look the same count as well: asking about too many is harmless.
 */
export function patchedPaths(patch: string): string[] {
  const names = patch.split('\n').map((line) => PATCHED.exec(line)?.[1]?.trim() ?? '');
  return names.filter((each) => each !== '');
}

/**
 * A path that a tool writes to, absolute. Some tools drop `folder/..`, others leave
 * that to the kernel, for which it may lead elsewhere: then both.
 */
export function bothReadings(path: string, cwd: string): string[] {
  const lexical = resolve(cwd, path);
  if (!path.includes('..')) return [lexical];
  const real = new RealPaths();
  const kernel = real.resolve(isAbsolute(path) ? path : cwd + sep + path).path;
  return kernel === real.resolve(lexical).path ? [lexical] : [lexical, kernel];
}
