import { readdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * The files that have long tests: those with the tag in their text, or in that of a
 * module of test/support that they import. Loading a file takes half a second of a
 * processor, even if it runs no test; this leaves out two of three.
 *
 * A file that is missing here fails in CI: its long tests were skipped in each of
 * the two runs, and `scripts/summary.mjs` counts that as a failure.
 */
export function longFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `${folder}/${name}`)
    .filter((path) => {
      const text = readFileSync(path, 'utf8');
      return isLong(text) || supportOf(path, text).some((each) => isLong(each));
    });
}

function isLong(text: string): boolean {
  return /'long'|^\/\/ @module-tag long$/m.test(text);
}

function supportOf(path: string, text: string): string[] {
  const imported = text.matchAll(/from '([^']+\/support\/[^']+)\.js'/g);
  return [...imported].map(([, name = '']) =>
    readFileSync(resolve(dirname(path), `${name}.ts`), 'utf8'),
  );
}
