import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { COMMAND, finish } from '../support/command.js';
import { testFolder } from '../support/folder.js';
import {
  addSubmodule,
  git,
  gitEnvironment,
  linkedTree,
  repository,
  write,
} from '../support/git.js';
import { needs } from '../support/tools.js';

const withGit = needs('git');

function setUp() {
  const folder = realpathSync(testFolder());
  const root = repository(join(folder, 'repo'), 'src/a.ts', 'src/lib/b.ts');
  const inside = linkedTree(root, join(root, '.claude/worktrees/w'));
  const beside = linkedTree(root, join(folder, 'beside'));
  return { folder, root, inside, beside };
}

/** `holdfast claim …` in a folder, without a variable of ours but those in `env`. */
async function claim(cwd: string, words: string[], env: NodeJS.ProcessEnv = {}) {
  const { code, stdout, stderr } = await finish(['claim', ...words], {
    cwd,
    env: gitEnvironment(env),
  });
  return { code, stdout, stderr };
}

describe('the guard', () => {
  /** Installs it for all working trees, and commits with it. */
  function hooked(common: string) {
    const hook = join(common, 'hooks', 'pre-commit');
    mkdirSync(join(common, 'hooks'), { recursive: true });
    const command = `exec "${process.execPath}" "${COMMAND}" claim guard --staged`;
    writeFileSync(hook, `#!/bin/sh\n${command}\n`);
    chmodSync(hook, 0o755);
    return (tree: string, agent: string, ...words: string[]): number | null => {
      const env = gitEnvironment({ HOLDFAST_AGENT: agent });
      const args = ['commit', '-qm', 'a change', ...words];
      return spawnSync('git', args, { cwd: tree, env, timeout: 30_000 }).status;
    };
  }

  withGit('knows what is claimed in working trees inside and beside', async () => {
    const { folder, root, inside, beside } = setUp();
    const commit = hooked(join(root, '.git'));
    await claim(root, ['add', 'src/a.ts', '--agent', 'one']);
    const renamed = join(folder, 'renamed');
    renameSync(beside, renamed);
    git(root, 'worktree', 'repair', renamed);
    for (const tree of [root, inside, renamed]) {
      write(tree, 'src/a.ts', 'changed');
      git(tree, 'add', 'src');
      expect(commit(join(tree, 'src'), 'two')).not.toBe(0);
      expect(commit(tree, 'one')).toBe(0);
      write(tree, 'src/lib/b.ts', 'changed');
      expect(commit(tree, 'two', '-a')).toBe(0);
    }
  });

  withGit('knows a submodule, also in a linked tree, and the entry of it', async () => {
    const { folder, root, beside } = setUp();
    const path = addSubmodule(root, repository(join(folder, 'sub'), 's.ts'), 'sub');
    git(beside, 'checkout', '-q', '--detach', git(root, 'rev-parse', 'HEAD').trim());
    git(beside, 'submodule', '--quiet', 'update', '--init');
    await claim(root, ['add', 'sub/s.ts', '--agent', 'one']);
    for (const tree of [path, join(beside, 'sub')]) {
      const common = git(tree, 'rev-parse', '--absolute-git-dir').trim();
      const commit = hooked(common);
      write(tree, 's.ts', 'changed');
      expect(commit(tree, 'two', '-a')).not.toBe(0);
      expect(commit(tree, 'one', '-a')).toBe(0);
    }
    const commit = hooked(join(root, '.git'));
    expect(commit(root, 'two', '-a')).toBe(0);
    // With a folder that was given, what is below the root is the root's.
    const given = ['--dir', join(folder, 'locks'), '--root', root];
    await claim(root, ['add', 'sub/s.ts', '--agent', 'one', ...given]);
    write(join(beside, 'sub'), 's.ts', 'again');
    git(join(beside, 'sub'), 'add', '-A');
    const guard = ['guard', '--staged', ...given];
    expect((await claim(join(beside, 'sub'), guard)).code).toBe(75);
    expect((await claim(join(beside, 'sub'), guard, { HOLDFAST_AGENT: 'one' })).code).toBe(0);
  });

  withGit('takes names of the index as they are: a link is the link', async () => {
    const { root } = setUp();
    const commit = hooked(join(root, '.git'));
    await claim(root, ['add', 'src/a.ts', '--agent', 'one']);
    git(root, 'update-index', '--add', '--cacheinfo', `120000,${hashOf(root, 'src/a.ts')},link`);
    expect(commit(root, 'two')).toBe(0);
  });

  function hashOf(cwd: string, text: string): string {
    const env = gitEnvironment();
    const args = ['hash-object', '-w', '--stdin'];
    return spawnSync('git', args, { cwd, env, input: text, encoding: 'utf8' }).stdout.trim();
  }
});
