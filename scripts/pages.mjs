// Makes the manual pages and docs/command.md of src/cli/pages:
//
//   node scripts/pages.mjs man      dist/man/
//   node scripts/pages.mjs docs     docs/command.md
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));

/** A module of src/, compiled. */
async function load(file) {
  const { output } = await build({
    cwd: root,
    input: file,
    platform: 'node',
    write: false,
    output: { format: 'esm' },
  });
  return import(`data:text/javascript,${encodeURIComponent(output[0].code)}`);
}

/** So that a build can be repeated: https://reproducible-builds.org/specs/source-date-epoch/ */
function today() {
  const seconds = process.env.SOURCE_DATE_EPOCH;
  const date = seconds === undefined ? new Date() : new Date(Number(seconds) * 1000);
  return date.toISOString().slice(0, 10);
}

async function writeManual() {
  const { manPages } = await load('src/cli/render/man.ts');
  const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
  mkdirSync(`${root}dist/man`, { recursive: true });
  for (const [name, text] of manPages({ version, date: today() })) {
    writeFileSync(`${root}dist/man/${name}`, text);
  }
}

async function writeReference() {
  const { reference } = await load('src/cli/render/markdown.ts');
  writeFileSync(`${root}docs/command.md`, reference());
}

const WORKS = { man: writeManual, docs: writeReference };
const work = WORKS[process.argv[2]];
if (work === undefined) throw new Error('usage: node scripts/pages.mjs man|docs');
await work();
