import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect } from 'vitest';
import { COMMAND, finish } from '../support/command.js';
import { testFolder } from '../support/folder.js';
import { needs } from '../support/tools.js';

const withGit = needs('git');

/** A git repository whose pre-commit hook is the one of the documentation. */
class Repository {
  readonly root = join(testFolder(), 'repo');
  readonly locks = join(this.root, '.work', 'locks');

  constructor() {
    mkdirSync(this.root);
    this.git('init', '-q', '-b', 'main');
    this.write('.gitignore', '.work/\n');
    const hook = join(this.root, '.git', 'hooks', 'pre-commit');
    mkdirSync(dirname(hook), { recursive: true });
    writeFileSync(
      hook,
      `#!/bin/sh\n[ -z "$HOLDFAST_CLAIMS" ] || exec "${process.execPath}" "${COMMAND}" claim guard --staged\n`,
    );
    chmodSync(hook, 0o755);
  }

  write(name: string, text = name): void {
    mkdirSync(dirname(join(this.root, name)), { recursive: true });
    writeFileSync(join(this.root, name), text);
  }

  async claim(agent: string, ...words: string[]): Promise<void> {
    const args = ['claim', 'add', '--dir', this.locks, '--agent', agent, ...words];
    expect(await finish(args, { cwd: this.root })).toMatchObject({ code: 0 });
  }

  /** As `agent`, with the hook. */
  as(agent: string, cwd: string, ...args: string[]): { status: number | null; stderr: string } {
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      HOLDFAST_CLAIMS: this.locks,
      HOLDFAST_AGENT: agent,
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_AUTHOR_NAME: 'a',
      GIT_AUTHOR_EMAIL: 'a@example.org',
      GIT_COMMITTER_NAME: 'a',
      GIT_COMMITTER_EMAIL: 'a@example.org',
    };
    return spawnSync('git', args, { cwd, env, encoding: 'utf8', timeout: 30_000 });
  }

  git(...args: string[]): void {
    const { status, stderr } = spawnSync('git', args, { cwd: this.root, encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  }
}

describe('an installed guard', () => {
  withGit('lets one’s own and nobody’s pass, also as the first commit', async () => {
    const repository = new Repository();
    await repository.claim('api', 'app/');
    repository.write('app/x.ts');
    repository.write('other.ts');
    repository.git('add', '-A');
    expect(repository.as('api', repository.root, 'commit', '-qm', 'first')).toMatchObject({
      status: 0,
    });
  });

  withGit('refuses a commit with another’s file and names the owner', async () => {
    const repository = new Repository();
    await repository.claim('api', 'app/', '--task', 'Implement client');
    repository.write('app/x.ts');
    repository.git('add', '-A');
    const refused = repository.as('shop', repository.root, 'commit', '-qm', 'no');
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain('app/x.ts');
    expect(refused.stderr).toMatch(/api .*until .*"Implement client"/);
    // Without a name nothing is one's own.
    const unnamed = repository.as('', repository.root, 'commit', '-qm', 'no');
    expect(unnamed.status).not.toBe(0);
    // If an agent runs these tests, it has a name all the same.
    expect(unnamed.stderr).toMatch(
      /of an unknown agent[\s\S]*set HOLDFAST_AGENT.*git commit --no-verify|of [\w-]+-\d+ changes/,
    );
    expect(refused.stderr).not.toContain('--no-verify');
  });

  withGit('sees names of any letters, removals, and both ends of a move', async () => {
    const repository = new Repository();
    for (const name of ['ä ö\n"x".ts', 'gone.ts', 'from/moved.ts', 'free.ts']) {
      repository.write(name, `${name} with enough text in it to be found again\n`);
    }
    repository.git('add', '-A');
    expect(repository.as('', repository.root, 'commit', '-qm', 'first').status).toBe(0);
    await repository.claim('api', 'ä*', 'gone.ts', 'from/');
    const refuses = (change: () => void): void => {
      change();
      repository.git('add', '-A');
      expect(repository.as('shop', repository.root, 'commit', '-qm', 'no').status).not.toBe(0);
      repository.git('reset', '-q', '--hard');
    };
    refuses(() => repository.write('ä ö\n"x".ts', 'changed'));
    refuses(() => unlinkSync(join(repository.root, 'gone.ts')));
    refuses(() =>
      renameSync(join(repository.root, 'from/moved.ts'), join(repository.root, 'to.ts')),
    );
  });

  withGit('checks what is committed: git commit -- PATHS, -a, from a subfolder', async () => {
    const repository = new Repository();
    repository.write('app/x.ts');
    repository.write('lib/y.ts');
    repository.git('add', '-A');
    expect(repository.as('', repository.root, 'commit', '-qm', 'first').status).toBe(0);
    await repository.claim('api', 'app/');
    repository.write('app/x.ts', 'changed');
    repository.write('lib/y.ts', 'changed');
    const at = join(repository.root, 'lib');
    expect(repository.as('shop', at, 'commit', '-qam', 'no').status).not.toBe(0);
    expect(repository.as('shop', at, 'commit', '-qm', 'no', '--', '../app').status).not.toBe(0);
    // The other's file is staged as well, and yet not in this commit.
    repository.git('add', '-A');
    expect(repository.as('shop', at, 'commit', '-qm', 'yes', '--', 'y.ts').status).toBe(0);
  });

  withGit('knows another working tree of the same repository', async () => {
    const repository = new Repository();
    repository.write('app/x.ts');
    repository.git('add', '-A');
    expect(repository.as('', repository.root, 'commit', '-qm', 'first').status).toBe(0);
    await repository.claim('api', 'app/');
    const tree = join(dirname(repository.root), 'tree');
    repository.git('worktree', 'add', '-q', tree);
    writeFileSync(join(tree, 'app/x.ts'), 'changed');
    expect(repository.as('shop', tree, 'commit', '-qam', 'no').status).not.toBe(0);
    expect(repository.as('api', tree, 'commit', '-qam', 'yes').status).toBe(0);
  });

  withGit('refuses to judge a repository that the claims are not about', async () => {
    const repository = new Repository();
    const other = new Repository();
    await repository.claim('api', 'app/');
    other.write('app/x.ts');
    other.git('add', '-A');
    const judged = await finish(['claim', 'guard', '--staged', '--dir', repository.locks], {
      cwd: other.root,
    });
    expect(judged).toMatchObject({ code: 64 });
  });
});
