import type { SpawnOptions } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program } from './program.js';

const NEXT_ID = new URL('../../dist/next-id.js', import.meta.url).href;

/**
 * A module with the built `withNextId`, the folder as `dir`, `make(id)` for an
 * entry `task-{id}`, `line()` for the next line of its stdin, and `words`.
 */
export function nextIdProgram(
  dir: string,
  source: string,
  options?: SpawnOptions,
  words: string[] = [],
): Program {
  const prelude = `
import { withNextId } from ${JSON.stringify(NEXT_ID)};
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
const [dir, ...words] = args;
const make = (id) => mkdirSync(dir + '/task-' + id);
const lines = () => createInterface({ input: process.stdin })[Symbol.asyncIterator]();
let input;
const line = async () => (await (input ??= lines()).next()).value;
`;
  return Program.module(`${prelude}\n${source}\nprocess.exit();`, [dir, ...words], options);
}

/** What it waits for with `line()`. */
export function tell(program: Program, text = 'go'): void {
  program.process.stdin?.write(`${text}\n`);
}

/** The numbers at the end of the entries' names, sorted. */
export function idsIn(dir: string): number[] {
  const ids = readdirSync(dir).flatMap((name) => {
    const id = /^task-(\d+)$/.exec(name)?.[1];
    return id === undefined ? [] : [Number(id)];
  });
  return ids.sort((one, other) => one - other);
}

/** The counter, as it is in its file; `null` where there is none. */
export function counterIn(dir: string, lockName = '.next-id.lock'): string | null {
  const file = join(dir, `${lockName}.last`);
  return existsSync(file) ? readFileSync(file, 'utf8') : null;
}

export const oneTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);

/** The same numbers from 0 to 1 for the same seed: mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
