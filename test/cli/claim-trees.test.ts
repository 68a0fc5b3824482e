import { chmodSync, existsSync, mkdirSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { finish, start } from '../support/command.js';
import { testFolder } from '../support/folder.js';
import { addSubmodule, git, gitEnvironment, linkedTree, repository } from '../support/git.js';
import { NOBODY, needs } from '../support/tools.js';

const withGit = needs('git');

function setUp() {
  const folder = realpathSync(testFolder());
  const root = repository(join(folder, 'repo'), 'src/a.ts', 'src/lib/b.ts');
  const inside = linkedTree(root, join(root, '.claude/worktrees/w'));
  const beside = linkedTree(root, join(folder, 'beside'));
  return { folder, root, inside, beside, locks: join(root, '.git/holdfast/claims') };
}

/** `holdfast claim …` in a folder, without a variable of ours but those in `env`. */
async function claim(cwd: string, words: string[], env: NodeJS.ProcessEnv = {}) {
  const { code, stdout, stderr } = await finish(['claim', ...words], {
    cwd,
    env: gitEnvironment(env),
  });
  return { code, stdout, stderr };
}

/** What an agent's host asks before a write. */
async function hook(cwd: string, agent: string, path: string): Promise<void> {
  const asked = { session_id: 's', cwd, hook_event_name: 'PreToolUse', tool_name: 'Write' };
  const input = JSON.stringify({ ...asked, tool_input: { file_path: path } });
  const words = ['claim', 'hook', '--for', 'claude-code', '--agent', agent];
  const program = start(words, { cwd, env: gitEnvironment() });
  program.process.stdin?.end(input);
  expect(await program.exited).toMatchObject({ code: 0, stderr: '' });
}

async function verdicts(cwd: string, ...words: string[]): Promise<string[]> {
  const { stdout } = await claim(cwd, ['check', ...words, '--json']);
  const found = JSON.parse(stdout) as { path: string; verdict: string }[];
  return found.map(({ path, verdict }) => `${path} ${verdict}`);
}

describe('holdfast claim without a folder', () => {
  withGit('uses that of the repository, from each working tree and subfolder', async () => {
    const { root, inside, beside, locks } = setUp();
    expect(await claim(beside, ['add', 'src/a.ts', '--agent', 'one'])).toMatchObject({
      code: 0,
      stderr: '',
    });
    expect(readdirSync(locks)).toEqual(['one.lock']);
    for (const tree of [root, inside, beside]) {
      expect(await verdicts(join(tree, 'src'), 'a.ts', join(beside, 'src/a.ts'))).toEqual([
        'src/a.ts other',
        'src/a.ts other',
      ]);
      expect(await verdicts(join(tree, 'src/lib'), '../a.ts', '../../src/a.ts', 'b.ts')).toEqual([
        'src/a.ts other',
        'src/a.ts other',
        'src/lib/b.ts unclaimed',
      ]);
      const refused = await claim(join(tree, 'src'), ['add', 'a.ts', '--agent', 'two']);
      expect(refused.code).toBe(75);
    }
    expect((await claim(inside, ['release', '--agent', 'one'])).code).toBe(0);
  });

  withGit('lists the working trees of claims, and each path, if asked', async () => {
    const { root, inside, beside } = setUp();
    await claim(root, ['add', 'src/a.ts', '--agent', 'hand']);
    const columns = (text: string) => text.split('\n').map((line) => line.trim().split(/ {2,}/));
    await hook(inside, 'w', 'src/lib/b.ts');
    await hook(inside, 'w', 'new.ts');
    await hook(beside, 'b', 'src/lib/b.ts');
    const seen = columns((await claim(root, ['list'])).stdout);
    expect(seen[0]).toEqual(['AGENT', 'STATE', 'AGE', 'LEFT', 'SCOPE', 'TREE', 'TASK']);
    expect(seen.slice(1, 4).map((row) => row.slice(4, 6))).toEqual([
      ['src/lib/b.ts', 'beside'],
      ['src/a.ts', 'all'],
      ['src/lib/b.ts (+1)', 'w'],
    ]);
    const long = columns((await claim(root, ['list', '-l'])).stdout);
    expect(long[4]).toEqual(['new.ts', 'w']);
    git(root, 'worktree', 'remove', '--force', beside);
    git(root, 'worktree', 'add', '-q', '--detach', `${beside}2`);
    git(root, 'worktree', 'move', `${beside}2`, beside);
    expect(columns((await claim(root, ['list'])).stdout)[1]?.[5]).toBe('removed');
    // All that are claimed are where one looks.
    await claim(root, ['release', '--agent', 'b', '--force']);
    const own = columns((await claim(inside, ['list'])).stdout);
    expect(own[0]).not.toContain('TREE');
  });

  withGit('calls a path outside outside: no error, and the others are judged', async () => {
    const { folder, root } = setUp();
    expect(await claim(root, ['check', '/etc/passwd', '--strict'])).toMatchObject({ code: 0 });
    await claim(root, ['add', 'src/a.ts', '--agent', 'one']);
    expect(await verdicts(root, '/etc/passwd', '../x', '../repo/src/a.ts')).toEqual([
      '/etc/passwd outside',
      '../x outside',
      'src/a.ts other',
    ]);
    expect((await claim(root, ['check', '/etc/passwd', 'src/a.ts'])).code).toBe(75);
    expect((await claim(root, ['add', '/etc/passwd', '--agent', 'two'])).code).toBe(64);
    // In no repository, paths in one are still that one's.
    expect(await verdicts(folder, 'repo/src/a.ts', 'x')).toEqual([
      `${join(root, 'src/a.ts')} other`,
      'x outside',
    ]);
    expect(await claim(folder, ['add', 'x', '--agent', 'two'])).toMatchObject({
      code: 64,
      stderr: expect.stringContaining('--dir'),
    });
    expect((await claim(folder, ['list'])).code).toBe(64);
  });

  withGit('spans several repositories in one call', async () => {
    const { folder, root } = setUp();
    const other = repository(join(folder, 'other'), 'x.ts');
    const path = addSubmodule(root, repository(join(folder, 'sub'), 's.ts'), 'sub');
    const added = await claim(root, [
      'add',
      'src/a.ts',
      'sub/s.ts',
      '../other/x.ts',
      '--agent',
      'one',
    ]);
    expect(added).toMatchObject({ code: 0, stderr: '' });
    expect(await verdicts(path, 's.ts', '../src/a.ts')).toEqual([
      `${join(path, 's.ts')} other`,
      `${join(root, 'src/a.ts')} other`,
    ]);
    expect(await verdicts(other, 'x.ts')).toEqual(['x.ts other']);
    // What was claimed before the refusal is named, and stays.
    const half = await claim(root, ['add', 'src/lib', 'sub/s.ts', '../other/y', '--agent', 'two']);
    expect(half.code).toBe(75);
    const last = half.stderr.trimEnd().split('\n').at(-1);
    expect(last).toMatch(/claimed: src\/lib; not claimed: sub\/s\.ts \.\.\/other\/y; use -w TIME/);
    expect(half.stderr).not.toContain('nothing claimed');
    const none = await claim(root, ['add', 'sub/s.ts', '../other/y', '--agent', 'three']);
    expect(none.stderr.trimEnd().split('\n').at(-1)).toContain('nothing claimed; use -w TIME');
    expect(await verdicts(root, 'src/lib/b.ts', '../other/y')).toEqual([
      `${join(root, 'src/lib/b.ts')} other`,
      `${join(other, 'y')} unclaimed`,
    ]);
  });

  const withRoot = needs('git', 'root');
  withRoot('says what to do where another user may not write', async () => {
    const { folder, root, locks } = setUp();
    chmodSync(folder, 0o755);
    const words = ['claim', 'add', 'src/a.ts', '--agent', 'one'];
    const options = { cwd: root, env: gitEnvironment(), ...NOBODY };
    const refused = await finish(words, options);
    expect(refused).toMatchObject({ code: 73, stderr: expect.stringContaining('--dir') });
    expect(existsSync(locks)).toBe(false);
    expect((await finish(['claim', 'check', 'src/a.ts'], options)).code).toBe(0);
    // There, but not theirs to write.
    await claim(root, ['add', 'src/lib', '--agent', 'two']);
    expect(await finish(words, options)).toMatchObject({
      code: 73,
      stderr: expect.stringContaining('--dir'),
    });
    expect((await finish(['claim', 'check', 'src/lib/b.ts'], options)).code).toBe(75);
    const own = join(folder, 'own');
    mkdirSync(own);
    chmodSync(own, 0o777);
    expect((await finish([...words, '--dir', join(own, 'locks')], options)).code).toBe(0);
  });
});

describe('a relative folder of claims', () => {
  withGit('is the same from each working tree, subfolder and submodule', async () => {
    const { folder, root, inside, beside } = setUp();
    const path = addSubmodule(root, repository(join(folder, 'sub'), 's.ts'), 'sub');
    const env = { HOLDFAST_CLAIMS: 'out/locks' };
    expect((await claim(join(beside, 'src'), ['add', 'a.ts', '--agent', 'one'], env)).code).toBe(0);
    expect(readdirSync(join(root, 'out/locks'))).toEqual(['one.lock']);
    for (const at of [root, inside, join(inside, 'src'), path]) {
      const listed = await claim(at, ['list', '--json'], env);
      expect(JSON.parse(listed.stdout)).toMatchObject([{ files: ['src/a.ts'] }]);
      expect((await claim(at, ['list', '--json', '--dir', 'out/locks'])).stdout).toBe(
        listed.stdout,
      );
    }
    expect((await claim(path, ['check', '../src/a.ts'], env)).code).toBe(75);
  });

  withGit(
    'is beside a bare repository, and in no repository below the working directory',
    async () => {
      const { folder, root } = setUp();
      git(folder, 'clone', '-q', '--bare', root, 'bare.git');
      const tree = linkedTree(join(folder, 'bare.git'), join(folder, 'trees/one'));
      const other = linkedTree(join(folder, 'bare.git'), join(folder, 'trees/two'));
      const env = { HOLDFAST_CLAIMS: 'locks' };
      expect((await claim(join(tree, 'src'), ['add', 'a.ts', '--agent', 'one'], env)).code).toBe(0);
      expect(readdirSync(join(folder, 'locks'))).toEqual(['one.lock']);
      expect((await claim(join(other, 'src'), ['check', 'a.ts'], env)).code).toBe(75);
      expect((await claim(folder, ['add', 'y', '--agent', 'two', '--dir', 'locks2'])).code).toBe(0);
      expect(readdirSync(join(folder, 'locks2'))).toEqual(['two.lock']);
    },
  );
});
