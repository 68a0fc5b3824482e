import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { type Create, type NextIdOptions, withNextId } from '../../src/next-id.js';
import { testFolder } from './folder.js';

export const LOCK = '.next-id.lock';
export const IGNORED = 'HOLDFAST_ID_IGNORED';

/** A folder with empty files of these names. */
export function folderWith(...names: string[]): string {
  const folder = testFolder();
  for (const name of names) writeFileSync(join(folder, name), '');
  return folder;
}

export const nothing = (): void => {};

/** The id that is given out. No entry is created with it. */
export async function next(folder: string, options: NextIdOptions = {}): Promise<number> {
  return (await withNextId(folder, options, nothing)).id;
}

export const making =
  (folder: string): Create<void> =>
  (id) =>
    mkdirSync(join(folder, `task-${id}`));

/** The warnings about ignored ids that `call` leads to. */
export async function warningsOf(call: () => Promise<unknown>): Promise<string[]> {
  const heard: string[] = [];
  const hear = (warning: Error & { code?: string }): void => {
    if (warning.code !== IGNORED) return;
    expect(warning.name).toBe('HoldfastWarning');
    heard.push(warning.message);
  };
  // Warnings of the previous test have arrived by then.
  await new Promise(setImmediate);
  process.on('warning', hear);
  onTestFinished(() => void process.removeListener('warning', hear));
  await call();
  // They are emitted in the next tick.
  await new Promise(setImmediate);
  return heard;
}

/** A promise that is resolved from outside. */
export function gate<T = void>(): { opened: Promise<T>; open: (value: T) => void } {
  let open: (value: T) => void = () => {};
  const opened = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** A call whose `create` ends when `finish` is called. */
export async function creating(
  folder: string,
  options: NextIdOptions = {},
): Promise<{ id: number; finish: () => void; done: Promise<unknown> }> {
  const begun = gate<number>();
  const end = gate();
  const done = withNextId(folder, options, async (id) => {
    begun.open(id);
    await end.opened;
  });
  done.catch(() => {});
  onTestFinished(() => end.open());
  const id = await Promise.race([begun.opened, done.then(() => -1)]);
  return { id, finish: () => end.open(), done };
}
