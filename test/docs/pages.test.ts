import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { blocksOf, filesBelow, PAGES, ROOT, read } from '../support/docs-pages.js';
import { type ExportedName, readPackage } from '../support/package-types.js';

const API = read('docs/api.md');
const modules = readPackage(ROOT);

/** The text below a heading, down to the next one of its level or above. */
function below(markdown: string, level: number, isIt: (heading: string) => boolean): string | null {
  const lines: string[] = [];
  let inside = false;
  for (const line of markdown.split('\n')) {
    const [, hashes, title = ''] = /^(#+) (.*)$/.exec(line) ?? [];
    if (hashes !== undefined && hashes.length <= level) {
      if (inside) break;
      inside = hashes.length === level && isIt(title);
    } else if (inside) lines.push(line);
  }
  return inside ? lines.join('\n') : null;
}

const codeIn = (markdown: string): string[] =>
  [...markdown.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);

/** `name`, `name(x)`, `Owner.name(x)`. */
function isAbout(code: string, name: string, owner = ''): boolean {
  const rest = owner !== '' && code.startsWith(`${owner}.`) ? code.slice(owner.length + 1) : code;
  return rest.startsWith(name) && !/^[\w$]/.test(rest.slice(name.length));
}

function has(words: string[], name: string): boolean {
  return words.some((code) => code.split(/[^\w$-]+/).includes(name));
}

/** What a reference leaves out: `holdfast: FileLock.path`. */
function missingIn(markdown: string, modules: Map<string, ExportedName[]>): string[] {
  const missing: string[] = [];
  for (const [module, names] of modules) {
    const section = below(markdown, 2, (title) => title === `\`${module}\``) ?? '';
    for (const { name, members, parts } of names) {
      const text = below(section, 3, (title) => codeIn(title).some((code) => isAbout(code, name)));
      if (text === null) {
        missing.push(`${module}: ${name}`);
        continue;
      }
      const codes = codeIn(text);
      for (const member of members) {
        const isThere = (code: string) =>
          member === 'constructor' ? code.startsWith(`new ${name}(`) : isAbout(code, member, name);
        if (!codes.some(isThere)) missing.push(`${module}: ${name}.${member}`);
      }
      for (const part of parts) {
        const words = [...codes, ...codeIn(headingOf(section, name))];
        if (!has(words, part)) missing.push(`${module}: ${name} '${part}'`);
      }
    }
  }
  return missing;
}

/** `watchLock(path, { signal }?)`: a heading may say it all. */
function headingOf(section: string, name: string): string {
  const headings = section.split('\n').filter((line) => line.startsWith('### '));
  return headings.filter((line) => codeIn(line).some((code) => isAbout(code, name))).join('');
}

describe('the reference', () => {
  test('has every exported name, member and option', () => {
    expect([...modules.keys()]).toContain('holdfast/election');
    expect(missingIn(API, modules)).toEqual([]);
  });

  test('is found wanting when any of them is left out', () => {
    const unnoticed: string[] = [];
    for (const [module, names] of modules) {
      for (const { name, members } of names) {
        const only = (what: Partial<ExportedName>) =>
          new Map([[module, [{ name, members: [], parts: [], ...what }]]]);
        const without = API.replaceAll(new RegExp(`^### .*\`${name}\\b.*$`, 'gm'), '### Else');
        if (missingIn(without, only({})).length === 0) unnoticed.push(`${module}: ${name}`);
        for (const member of members) {
          const word = member === 'constructor' ? `new ${name}` : member;
          const gone = API.replaceAll(word, 'x');
          if (missingIn(gone, only({ members: [member] })).length === 0) {
            unnoticed.push(`${module}: ${name}.${member}`);
          }
        }
      }
    }
    expect(unnoticed).toEqual([]);
  });

  test('what it is compared with is all that the types say', () => {
    const all = [...modules.values()].flat();
    const named = new Map(all.map((each) => [each.name, each]));
    expect(named.get('FileLock')?.members).toContain('tryUpgrade');
    expect(named.get('FileLock')?.members).toContain('[Symbol.asyncDispose]');
    expect(named.get('FileLockOptions')?.members).toContain('keepFile');
    expect(named.get('InstanceLock')?.parts).toContain('lost');
    expect(named.get('Election')?.members).toContain('standby');
    expect(named.get('LockState')?.parts).toContain('stale');
    expect(named.get('Claims')?.parts).toContain('ignoreInvalid');
    expect(missingIn('', modules).length).toBe(all.length);
  });
});

describe('codes', () => {
  const codesIn = (text: string): string[] => [
    ...new Set(text.match(/\b(?:ERR|HOLDFAST)_[A-Z_]*[A-Z]\b/g)),
  ];
  const inSources = codesIn(filesBelow('src', '.ts').map(read).join('\n'));

  test('of errors, warnings and variables are all documented', () => {
    expect(inSources.length).toBeGreaterThan(15);
    const documented = codesIn(API);
    expect(inSources.filter((code) => !documented.includes(code))).toEqual([]);
  });

  test('that are documented are there, or are of the tests', () => {
    const files = ['src', 'test', 'scripts'].flatMap((folder) =>
      ['.ts', '.mjs'].flatMap((ending) => filesBelow(folder, ending)),
    );
    const there = codesIn(files.map(read).join('\n'));
    const unknown = codesIn(PAGES.map(read).join('\n')).filter((code) => !there.includes(code));
    expect(unknown).toEqual([]);
  });
});

const withoutBlocks = (markdown: string): string => markdown.replaceAll(/^```[\s\S]*?^```/gm, '');

/** What a heading is called in a link, as on GitHub. */
function anchorsOf(markdown: string): string[] {
  const seen = new Map<string, number>();
  return [...withoutBlocks(markdown).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => {
    const text = title
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .trim()
      .toLowerCase();
    const anchor = text.replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replaceAll(' ', '-');
    const times = seen.get(anchor) ?? 0;
    seen.set(anchor, times + 1);
    return times === 0 ? anchor : `${anchor}-${times}`;
  });
}

function linksIn(markdown: string): string[] {
  const text = withoutBlocks(markdown).replaceAll(/``[^\n]*?``/g, '');
  const links = text.matchAll(/\]\(([^()\s]+)\)|\b(?:href|src|srcset)="([^"\s]+)"/g);
  return [...links].map(([, target, attribute = '']) => target ?? attribute);
}

function brokenLinks(page: string, markdown: string): string[] {
  return linksIn(markdown).filter((target) => {
    if (/^[a-z]+:/.test(target)) return false;
    const [path = '', anchor] = target.split('#');
    const file = path === '' ? join(ROOT, page) : resolve(ROOT, dirname(page), path);
    if (!existsSync(file) || relative(ROOT, file).startsWith('..')) return true;
    const text = path === '' ? markdown : anchor === undefined ? '' : readFileSync(file, 'utf8');
    return anchor !== undefined && !anchorsOf(text).includes(anchor);
  });
}

/** What npm packs: the README, the changelog and the license as well, whatever `files` says. */
const PACKED = ['README.md', 'LICENSE', ...JSON.parse(read('package.json')).files];

function linksOutOfPackage(page: string, markdown: string): string[] {
  return linksIn(markdown).filter((target) => {
    if (/^(#|https?:)/.test(target)) return false;
    const path = join(dirname(page), target.split('#')[0] ?? '');
    return !PACKED.some((packed) => path === packed || path.startsWith(`${packed}/`));
  });
}

describe('the README', () => {
  test('is short: the reference is in docs/', () => {
    expect(read('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(200);
  });

  // GitHub shows 838 pixels, in which 98 characters of code fit.
  test('has no code that has to be scrolled', () => {
    const lines = blocksOf('README.md', read('README.md')).flatMap(({ source }) =>
      source.split('\n').filter((line) => line.length > 96),
    );
    expect(lines).toEqual([]);
  });
});

describe('links between pages', () => {
  test.each(PAGES)('of %s lead to a file and a heading', (page) => {
    expect(brokenLinks(page, read(page))).toEqual([]);
  });

  // People read them on npm, too, and in node_modules.
  test.each(['README.md', 'CHANGELOG.md', ...filesBelow('docs', '.md')])(
    'of %s stay in the package',
    (page) => {
      expect(linksOutOfPackage(page, read(page))).toEqual([]);
    },
  );

  test('that leave the package are found', () => {
    const page =
      '[1](#a) [2](https://x.org/y) [3](b.md) [4](../examples/x) [5](../bench/README.md)';
    expect(linksOutOfPackage('docs/a.md', page)).toEqual(['../examples/x', '../bench/README.md']);
    const readme = '![1](docs/x.svg) [2](src/x.ts) <img src="bench/x.svg">';
    expect(linksOutOfPackage('README.md', readme)).toEqual(['src/x.ts', 'bench/x.svg']);
  });

  test('that lead nowhere are found', () => {
    const page =
      '# One `a/b`\n[1](#one-ab) [2](#two) [3](api.md#filelockt) [4](api.md#no) [5](no.md)';
    expect(brokenLinks('docs/api.md', page)).toEqual(['#two', 'api.md#no', 'no.md']);
  });

  test('lead to every page of docs/ from its index', () => {
    const index = join('docs', 'index.md');
    const linked = linksIn(read(index)).map((target) => join('docs', target.split('#')[0] ?? ''));
    const others = filesBelow('docs', '.md').filter((page) => page !== index);
    expect(others.filter((page) => !linked.includes(page))).toEqual([]);
  });
});
