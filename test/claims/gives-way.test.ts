import { spawnSync } from 'node:child_process';
import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { acquireClaims } from '../../src/claims/acquire-claims.js';
import { ClaimsFolder } from '../../src/claims/folder.js';
import { isClean } from '../../src/claims/git-clean.js';
import { givesWay } from '../../src/claims/gives-way.js';
import { LiveClaims } from '../../src/claims/live-claims.js';
import type { ClaimPart } from '../../src/claims/model.js';
import { parsePattern } from '../../src/claims/parse-pattern.js';
import { checkRequests } from '../../src/claims/request.js';
import { findRoot } from '../../src/claims/root.js';
import { conflictOf, time } from '../support/claims-setting.js';
import { testFolder } from '../support/folder.js';
import { needs } from '../support/tools.js';

const MINUTE = 60_000;
const ROOT = { path: '/', real: '/', ignoresCase: false };

function part(more: Partial<ClaimPart>, files: string[] = ['x']): ClaimPart {
  const patterns = files.map((file) =>
    parsePattern(file, file.endsWith('/') ? 'directory' : 'file', ROOT, 'files'),
  );
  return { patterns, except: [], tree: '/t', by: 'hook', touched: new Date(0), ...more };
}

describe('a part gives way', () => {
  const facts = { now: 31 * MINUTE, isClean: true, calledSince: true };
  test('if a hook claimed it, it is clean, and its agent went on elsewhere half an hour ago', () => {
    expect(givesWay(part({}), facts)).toBe(true);
    expect(givesWay(part({}), { ...facts, now: 30 * MINUTE })).toBe(true);
  });

  test.each<[string, Partial<ClaimPart>, Partial<typeof facts>]>([
    ['claimed by hand', { by: 'hand' }, {}],
    ['claimed through MCP', { by: 'mcp' }, {}],
    ['of all trees', { tree: null }, {}],
    ['of no known time', { touched: null }, {}],
    ['touched since', {}, { now: 30 * MINUTE - 1 }],
    ['with changes', {}, { isClean: false }],
    ['that may be in the middle of a write', {}, { calledSince: false }],
  ])('not one %s', (_, more, less) => {
    expect(givesWay(part(more), { ...facts, ...less })).toBe(false);
  });
});

function git(cwd: string, ...args: string[]): void {
  const identity = ['-c', 'user.name=n', '-c', 'user.email=e@x'];
  const { status, stderr } = spawnSync('git', [...identity, ...args], { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

function repository(): string {
  const tree = realpathSync(testFolder());
  git(tree, 'init', '-q');
  writeFileSync(join(tree, 'x'), '1');
  mkdirSync(join(tree, 'lib'));
  writeFileSync(join(tree, 'lib', 'y'), '1');
  writeFileSync(join(tree, '.gitignore'), 'ignored\n');
  git(tree, 'add', '.');
  git(tree, 'commit', '-qm', 'first');
  return tree;
}

needs('git')(
  'a part is clean if its files are those of HEAD, whatever else has changed',
  async () => {
    const tree = repository();
    writeFileSync(join(tree, 'other'), '');
    const clean = (...files: string[]): Promise<boolean> => isClean(part({ tree }, files));
    process.env['GIT_DIR'] = '/nowhere';
    try {
      expect(await clean('x', 'lib/', 'none')).toBe(true);
      expect(await clean('other')).toBe(false);
      writeFileSync(join(tree, 'ignored'), '');
      expect(await clean('ignored')).toBe(false);
      writeFileSync(join(tree, 'lib', 'y'), '2');
      expect(await clean('lib/')).toBe(false);
      expect(await clean('x')).toBe(true);
      expect(await clean('*')).toBe(false);
      expect(await isClean(part({ tree: join(tree, 'none') }))).toBe(false);
      expect(await isClean(part({ tree: testFolder() }))).toBe(false);
    } finally {
      delete process.env['GIT_DIR'];
    }
  },
);

needs('git')(
  'a request takes the parts in its way if all give way, and none if one does not',
  async () => {
    const tree = repository();
    const directory = join(tree, '.git', 'claims');
    mkdirSync(directory);
    const root = findRoot(tree);
    const folder = new ClaimsFolder(directory, root);
    const place = { folder, live: new LiveClaims(directory) };
    const put = (agent: string, parts: object[]): void => {
      const fields = {
        agent,
        locked_at: time(-2 * 60 * MINUTE),
        files: parts.flatMap((each) => (each as { files: string[] }).files),
        expires_at: time(60 * MINUTE),
        parts: parts.map((each) => ({ tree, by: 'hook', ...each })),
      };
      writeFileSync(join(directory, `${agent}.lock`), JSON.stringify(fields));
    };
    put('old', [
      { files: ['x'], touched: time(-40 * MINUTE) },
      { files: ['lib/y'], touched: time(-40 * MINUTE) },
      { files: ['busy'], touched: time(-1 * MINUTE) },
    ]);
    const claim = (files: string[]) =>
      acquireClaims(place, checkRequests([{ agent: 'new', files }], root, 'claim'), undefined);
    await conflictOf(claim(['x', 'busy']));
    writeFileSync(join(tree, 'lib', 'y'), 'changed');
    await conflictOf(claim(['x', 'lib/y']));
    expect(folder.find('old')?.claim?.fields['files']).toEqual(['x', 'lib/y', 'busy']);
    const [granted] = await claim(['x']);
    expect(folder.find('old')?.claim?.fields['files']).toEqual(['lib/y', 'busy']);
    await granted?.release();
  },
);
