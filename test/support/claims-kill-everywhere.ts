import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { ClaimRequest } from '../../src/claims.js';
import { inParallel, killAt, type Point } from './claims-kill.js';

const PARALLEL = 3;

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
  const run = async (name: string, point: Point | null) => {
    const locks = join(root, name, 'locks');
    mkdirSync(join(root, name));
    await prepare(locks);
    const warmUp = join(root, name, 'warm');
    const victim = { root, requests, waits, directory: locks, warmUp };
    return { locks, ...(await killAt(victim, join(root, name, 'trace'), point)) };
  };
  const { calls, marks, killed } = await run('whole', null);
  expect(killed).toBe(false);
  expect(marks).toHaveLength(2);
  const [begin, end] = marks as [number, number];
  const points = calls.flatMap((name, index): Point[] => {
    const nth = calls.slice(0, index + 1).filter((each) => each === name).length;
    return index > begin && index <= end ? [{ name, nth }] : [];
  });
  const missed: Point[] = [];
  await inParallel(points, PARALLEL, async (point) => {
    const name = `${point.name}-${point.nth}`;
    const left = await run(name, point);
    if (!left.killed || left.calls.at(-1) !== point.name) missed.push(point);
    await check(left);
    rmSync(join(root, name), { recursive: true });
  });
  // The calls of Node's own loop, before the claim, may be one more or less.
  expect(missed.length).toBeLessThanOrEqual(2);
}
