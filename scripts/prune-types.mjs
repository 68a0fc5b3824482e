// Of the types that tsc has written, keeps those that the doors of the package lead
// to. The others are of files that only the bundles have, and nobody can import them.
import { readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');

const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const needed = new Set(
  Object.values(exports).flatMap(({ types }) => (types === undefined ? [] : [join(root, types)])),
);
// A set also visits what is added to it meanwhile.
for (const file of needed) {
  const imports = readFileSync(file, 'utf8').matchAll(/(?:from |import\()["'](\..+?)\.js["']/g);
  for (const [, path] of imports) needed.add(resolve(dirname(file), `${path}.d.ts`));
}

const entries = readdirSync(dist, { recursive: true, withFileTypes: true });
for (const entry of entries) {
  const path = join(entry.parentPath, entry.name);
  if (path.endsWith('.d.ts') && !needed.has(path)) rmSync(path);
}
// Deepest first, so that a folder that only had folders goes as well.
for (const folder of entries.filter((entry) => entry.isDirectory()).reverse()) {
  const path = join(folder.parentPath, folder.name);
  if (readdirSync(path).length === 0) rmdirSync(path);
}
