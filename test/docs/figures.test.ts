// What pages say of the tree, compared with the tree.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT, read } from '../support/docs-pages.js';

/** The value of a constant of a source file: numbers, multiplied. */
function constant(file: string, name: string): number {
  const value = new RegExp(`const ${name} = ([\\d_* ]+);`).exec(read(file))?.[1];
  if (value === undefined) throw new Error(`${file} has no constant ${name}`);
  return value
    .replaceAll('_', '')
    .split(/ \*(?!\*) /)
    .map((factor) => factor.split(' ** ').map(Number))
    .reduce((product, [base = NaN, power = 1]) => product * base ** power, 1);
}

function bytesOf(text: string): number {
  const [, amount, unit] = /^([\d,]+) (KiB|MiB)/.exec(text) ?? [];
  return Number(amount?.replaceAll(',', '')) * (unit === 'MiB' ? 2 ** 20 : 2 ** 10);
}

describe('a size', () => {
  test.each([
    ['docs/platforms-macos.md', 'prebuilds/darwin-arm64/holdfast.node'],
    ['docs/platforms-macos.md', 'prebuilds/darwin-x64/holdfast.node'],
    ['docs/platforms-windows.md', 'prebuilds/win32-x64/holdfast.node'],
  ])('in %s of %s is that of the file', (page, file) => {
    const kilobytes = Math.round(statSync(join(ROOT, file)).size / 1000);
    expect(read(page)).toContain(`\`${file}\` (${kilobytes} kB`);
  });

  test.each([
    ['a record in a lock file', 'src/holders/owner-record.ts', 'RECORD_LIMIT'],
    ['a claim’s file', 'src/claims/claim-file.ts', 'CLAIM_LIMIT'],
    ['the journal of several claims', 'src/claims/journal.ts', 'JOURNAL_LIMIT'],
    ['`/proc/<pid>/status`', 'src/holders/kernel-tables.ts', 'STATUS_LIMIT'],
    ['`/proc/locks`', 'src/holders/kernel-tables.ts', 'TABLE_LIMIT'],
    ['the table of mounts', 'src/holders/kernel-tables.ts', 'MOUNTS_LIMIT'],
  ])('that limits %s is that of the source', (what, file, name) => {
    const page = read('docs/reliability.md').replaceAll("'", '’');
    const row = page.split('\n').find((line) => line.startsWith(`| ${what} | `));
    expect(bytesOf(row?.split(' | ')[1] ?? '')).toBe(constant(file, name));
  });

  test.each(['docs/messages.md', 'docs/api.md'])('of a message in %s is so', (page) => {
    expect(constant('src/instance/message-line.ts', 'LONGEST_MESSAGE')).toBe(bytesOf('1 MiB'));
    expect(read(page)).toContain('1 MiB');
  });

  test('has one unit for each kind: KiB and MiB for limits, kB for files', () => {
    const pages = ['README.md', 'docs/api.md', 'docs/reliability.md', 'docs/platforms-macos.md'];
    for (const page of [...pages, 'docs/platforms-windows.md', 'docs/messages.md']) {
      expect(read(page), page).not.toMatch(/\d ?(KB|kb|Kb|MB)\b/);
    }
  });
});

describe('a version', () => {
  test('of Node is the first that the package allows', () => {
    const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } };
    const [, first, second] =
      /Node 20 \((\d+\.\d+) or later\), Node (\d+\.\d+) or later/.exec(read('README.md')) ?? [];
    expect(engines.node).toBe(`^${first}.0 || >=${second}.0`);
  });

  test('of Bun is the first that the matrix runs', () => {
    const [, first] = /Bun (\d+\.\d+\.\d+) or later/.exec(read('README.md')) ?? [];
    expect(read('scripts/matrix/rows.mjs')).toContain(`'bun-first': bun('${first}')`);
  });
});

test('the smoke test has as many checks as is said', () => {
  const checks = read('test/smoke.mjs').match(/^ {2}async '/gm) ?? [];
  expect(read('docs/platforms.md')).toContain(`has ${checks.length} checks:`);
});

test('the sections of bench/README.md that a page names are there', () => {
  const files = readdirSync(join(ROOT, 'bench')).filter((name) => name.endsWith('.mjs'));
  const source = [...files.map((name) => `bench/${name}`), 'bench/templates/README.md'];
  const titles = source.map(read).join('\n');
  const [, table = ''] = read('docs/performance.md').split('| more with | section |\n');
  const [, ...rows] = (table.split('\n\n')[0] ?? '').split('\n');
  const named = rows.map((row) => row.split('|').at(-2)?.trim() ?? '');
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((name) => name === '' || !titles.includes(name))).toEqual([]);
});
