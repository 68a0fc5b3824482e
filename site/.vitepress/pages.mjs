import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGES = fileURLToPath(new URL('../pages', import.meta.url));

const filesOf = (folder, ending) =>
  readdirSync(join(ROOT, folder), { recursive: true })
    .filter((name) => name.endsWith(ending) && !name.includes('node_modules'))
    .map((name) => `${folder}/${name}`);

/** The files of the repository that the site shows, each with its place there. */
export const PLACES = new Map([
  ['README.md', 'readme.md'],
  ['CHANGELOG.md', 'changelog.md'],
  ...['.md', '.svg']
    .flatMap((ending) => filesOf('docs', ending))
    .map((file) => [file, file.slice('docs/'.length)]),
  // What is in public/ is copied as it is.
  ['site/favicon.svg', 'public/favicon.svg'],
  ...filesOf('examples', 'README.md').map((file) => [file, file.replace('README', 'index')]),
]);

/** Copies them. From outside of this folder, Vite would not find its packages. */
export function copyPages() {
  rmSync(PAGES, { recursive: true, force: true });
  for (const [file, place] of PLACES) cpSync(join(ROOT, file), join(PAGES, place));
}

const GROUPS = {
  'Start here': [
    ['Choosing', ''],
    ['README', 'readme'],
  ],
  Guides: [
    ['One instance', 'one-instance'],
    ['Messages to the first instance', 'messages'],
    ['Waiting and deadlines', 'waiting'],
    ['Locks and child processes', 'children'],
    ['Several locks at once', 'several-locks'],
    ['At most N at once', 'slots'],
    ['Change a file', 'update'],
    ['Numbers without races', 'next-id'],
    ['One leader', 'election'],
    ['Many machines', 'beyond-one-machine'],
    ['Agents', 'agents'],
    ['Claims', 'claims'],
    ['Testing', 'testing'],
    ['Operations', 'operations'],
    ['Bundling', 'bundling'],
  ],
  Reference: [
    ['API', 'api'],
    ['The command', 'command'],
  ],
  Background: [
    ['Semantics', 'semantics'],
    ['Reliability', 'reliability'],
    ['Performance', 'performance'],
    ['Platforms', 'platforms'],
    ['macOS', 'platforms-macos'],
    ['Windows', 'platforms-windows'],
    ['Migrating', 'migrating'],
    ['Changelog', 'changelog'],
  ],
};

const pages = [...PLACES.values()].filter((place) => place.endsWith('.md'));
const linkOf = (place) => place.replace(/(^|\/)index\.md$|\.md$/, '$1');
const listed = new Set(Object.values(GROUPS).flatMap((items) => items.map(([, page]) => page)));

/** A page that no group names comes last. */
function groups() {
  const there = new Set(pages.map(linkOf));
  const others = [...there].filter((link) => !listed.has(link)).sort();
  const examples = others.filter((link) => link.startsWith('examples/'));
  return [
    ...Object.entries(GROUPS).map(([text, items]) => [
      text,
      items.filter(([, link]) => there.has(link)),
    ]),
    ['Examples', examples.map((link) => [link.split('/')[1], link])],
    ['More', others.filter((link) => !examples.includes(link)).map((link) => [link, link])],
  ].filter(([, items]) => items.length > 0);
}

export const sidebar = groups().map(([text, items]) => ({
  text,
  items: items.map(([name, link]) => ({ text: name, link: `/${link}` })),
}));
