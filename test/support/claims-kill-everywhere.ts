import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ClaimRequest } from '../../src/claims.js';
import { killAt, killAtEachCall, type Point } from './kill.js';

export interface Left {
  locks: string;
  killed: boolean;
}

/** Kills at every call in turn; `check` looks at the folder that is left, if there is one. */
export async function atEveryCall(
  root: string,
  requests: ClaimRequest[],
  prepare: (locks: string) => Promise<unknown>,
  check: (left: Left) => Promise<void>,
  { waits = false } = {},
): Promise<void> {
  const locksOf = (name: string): string => join(root, name, 'locks');
  const run = async (name: string, point: Point | null) => {
    const directory = locksOf(name);
    mkdirSync(join(root, name));
    await prepare(directory);
    // Another folder, for a first run that is not traced.
    const warmUp = join(root, name, 'warm');
    const message = { root, requests, waits, directory, warmUp };
    const victim = { script: './claims-victim.mjs', message };
    return killAt(victim, join(root, name, 'trace'), point);
  };
  await killAtEachCall(run, async (name, { killed }) => {
    await check({ locks: locksOf(name), killed });
    rmSync(join(root, name), { recursive: true });
  });
}
