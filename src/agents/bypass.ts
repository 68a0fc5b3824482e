import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readText } from '../base/bounded.js';
import { makeFolders } from '../base/make-folders.js';

/** In the claims' folder. It begins with a dot, so nothing takes it for a claim. */
export const BYPASS_NAME = '.holdfast-bypass';
export const LONGEST_BYPASS = 24 * 60 * 60 * 1000;

/** For how long hooks let everything through, because a person said so; `null`: they do not. */
export function bypassUntil(directory: string, now: number = Date.now()): Date | null {
  const file = join(directory, BYPASS_NAME);
  // Mostly there is none, and creating the error takes longer than asking first.
  if (!existsSync(file)) return null;
  let until: number;
  try {
    const { until: text } = JSON.parse(readText(file));
    until = Date.parse(text);
  } catch {
    // Gone by now, or not written by `claim bypass`.
    return null;
  }
  return until > now && until <= now + LONGEST_BYPASS ? new Date(until) : null;
}

/** Begins, changes or (`0`) ends a bypass. Returns until when it lasts. */
export function setBypass(directory: string, milliseconds: number): Date | null {
  const file = join(directory, BYPASS_NAME);
  if (milliseconds === 0) {
    rmSync(file, { force: true });
    return null;
  }
  const until = new Date(Date.now() + Math.min(milliseconds, LONGEST_BYPASS));
  makeFolders(directory);
  writeFileSync(file, `${JSON.stringify({ until: until.toISOString() })}\n`);
  return until;
}
