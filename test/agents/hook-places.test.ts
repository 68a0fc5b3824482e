import { mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import type { Decision } from '../../src/agents/answer.js';
import { decide } from '../../src/agents/hook.js';
import { HOSTS } from '../../src/agents/hosts.js';
import { readInput } from '../../src/agents/input.js';
import { opencodeHooks } from '../../src/agents/opencode.js';
import { Claims } from '../../src/claims/claims.js';
import { testFolder } from '../support/folder.js';
import { git } from '../support/git.js';
import { needs } from '../support/tools.js';

const test = needs('git');
const PASS = { kind: 'pass' };
const DENY = { kind: 'deny' };

function repository(folder: string): string {
  mkdirSync(join(folder, 'src'), { recursive: true });
  git(folder, 'init', '-q', '-b', 'main');
  git(folder, 'commit', '-q', '--allow-empty', '-m', 'x');
  return folder;
}

/** A repository with a submodule and a linked working tree beside it, and another one. */
function places(): Record<'top' | 'main' | 'sub' | 'tree' | 'other', string> {
  const top = realpathSync(testFolder());
  const main = repository(join(top, 'main'));
  const other = repository(join(top, 'other'));
  git(main, '-c', 'protocol.file.allow=always', 'submodule', 'add', '-q', other, 'sub');
  git(main, 'commit', '-q', '-m', 'sub');
  git(main, 'worktree', 'add', '-q', '-b', 'w', join(top, 'tree'));
  return { top, main, other, sub: join(main, 'sub'), tree: join(top, 'tree') };
}

function write(
  agent: string,
  path: string,
  { cwd, directory = null }: { cwd: string; directory?: string | null },
): Promise<Decision> {
  const text = JSON.stringify({
    session_id: 's',
    cwd,
    hook_event_name: 'PreToolUse',
    tool_name: 'Write',
    tool_input: { file_path: path },
  });
  const host = HOSTS['claude-code'];
  return decide(readInput(text, host), { host, unclaimed: 'claim', directory, agent, from: 1 });
}

async function filesIn(claims: Claims): Promise<Record<string, string[]>> {
  return Object.fromEntries((await claims.list()).map(({ agent, files }) => [agent, files]));
}

describe('a folder of claims that is relative', () => {
  test('is the same one from everywhere in a repository', async () => {
    const { main, sub, tree } = places();
    const directory = 'out/locks';
    const claims = new Claims(join(main, directory));
    await claims.claim({ agent: 'a', files: ['y.ts', 'src/a.ts', 'sub/k.ts'] });
    const given = { directory };
    expect(await write('b', 'y.ts', { cwd: tree, ...given })).toMatchObject(DENY);
    expect(await write('b', 'a.ts', { cwd: join(main, 'src'), ...given })).toMatchObject(DENY);
    expect(await write('b', 'k.ts', { cwd: sub, ...given })).toMatchObject(DENY);
    expect(await write('b', 'n.ts', { cwd: sub, ...given })).toMatchObject(PASS);
    expect((await filesIn(claims))['b']).toEqual(['sub/n.ts']);
  });

  test('is so for opencode too', async () => {
    const { main, tree } = places();
    await new Claims(join(main, 'out/locks')).claim({ agent: 'a', files: ['y.ts'] });
    const hooks = opencodeHooks({ directory: tree }, { directory: 'out/locks' });
    const call = hooks['tool.execute.before'](
      { tool: 'write', sessionID: 's' },
      { args: { filePath: join(tree, 'y.ts') } },
    );
    await expect(call).rejects.toThrow('claimed by a');
  });
});

describe('a folder of claims that was given', () => {
  test('has one root, wherever it is and whoever writes', async () => {
    const { top, main, sub, other } = places();
    const directory = join(top, 'claims');
    expect(await write('a', 'sub/p', { cwd: main, directory })).toMatchObject(PASS);
    expect(await write('a', 'q', { cwd: main, directory })).toMatchObject(PASS);
    expect(await write('b', 'p', { cwd: sub, directory })).toMatchObject(DENY);
    // Another file than the q above.
    expect(await write('b', 'q', { cwd: sub, directory })).toMatchObject(PASS);
    expect(await write('b', join(other, 'q'), { cwd: main, directory })).toMatchObject(PASS);
    expect(await filesIn(new Claims(directory, { root: main }))).toEqual({
      a: ['sub/p', 'q'],
      b: ['sub/q'],
    });
  });

  test('is that of one repository, if it is the default one', async () => {
    const { main, sub, other } = places();
    const { directory } = new Claims(undefined, { root: main });
    const given = { cwd: main, directory };
    await write('b', 'x.ts', { cwd: other });
    expect(await write('a', join(other, 'x.ts'), given)).toMatchObject(DENY);
    expect(await write('a', 'x.ts', given)).toMatchObject(PASS);
    expect(await write('a', 'sub/n.ts', given)).toMatchObject(PASS);
    expect(await write('c', 'n.ts', { cwd: sub })).toMatchObject(DENY);
    expect(await write('c', 'x.ts', { cwd: main })).toMatchObject(DENY);
    const all = [main, sub, other].map((root) => filesIn(new Claims(undefined, { root })));
    expect(await Promise.all(all)).toEqual([{ a: ['x.ts'] }, { a: ['n.ts'] }, { b: ['x.ts'] }]);
  });
});

describe('a file that is a link', () => {
  test('is the one in the other repository', async () => {
    const { main, other } = places();
    symlinkSync(join('..', 'other', 'x.ts'), join(main, 'link.ts'));
    expect(await write('b', 'x.ts', { cwd: other })).toMatchObject(PASS);
    expect(await write('a', 'link.ts', { cwd: main })).toMatchObject(DENY);
  });

  test('is the one in the other working tree', async () => {
    const { main, tree } = places();
    symlinkSync(join('..', 'tree', 'x.ts'), join(main, 'link.ts'));
    expect(await write('a', 'link.ts', { cwd: main })).toMatchObject(PASS);
    expect(await write('b', 'x.ts', { cwd: tree })).toMatchObject(DENY);
    expect(await write('b', 'x.ts', { cwd: main })).toMatchObject(PASS);
  });
});

test('no folder of claims is written to, whosever it is', async () => {
  const { top, main, other, sub } = places();
  const common = join(main, '.git/holdfast');
  const directory = join(top, 'claims');
  for (const path of [
    join(common, 'modules/sub/claims/.holdfast-bypass'),
    join(common, 'claims/a.lock'),
    common,
    join(other, '.git/holdfast/claims/a.lock'),
  ]) {
    expect(await write('a', path, { cwd: main })).toMatchObject(DENY);
    expect(await write('a', path, { cwd: sub, directory })).toMatchObject(DENY);
  }
  const outside = join(directory, 'a.lock');
  expect(await write('a', outside, { cwd: main, directory })).toMatchObject(DENY);
  expect(await write('a', 'holdfast/x.ts', { cwd: main })).toMatchObject(PASS);
});
