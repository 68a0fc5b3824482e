import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { testFolder } from './folder.js';

/** For a script of `runScript`. */
export const UPDATE = `
  const { updateFile, updateJson } = await import(
    new URL('update.js', process.env.HOLDFAST_TEST_ENTRY)
  );
`;

/** A file in a folder of its own; without a content there is none yet. */
export function targetFile(content?: string | Buffer, name = 'settings.json'): string {
  const path = join(testFolder(), name);
  if (content !== undefined) writeFileSync(path, content);
  return path;
}

/** What an update must not leave in a folder. */
export function litterIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.startsWith('.holdfast-'));
}
