import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Locker } from '../../src/index.js';
import { testFolder } from './folder.js';
import { oneTo } from './next-id-program.js';
import { Program } from './program.js';

export const EXAMPLE = fileURLToPath(new URL('../../examples/worktrees/', import.meta.url));

// Without the user's settings: no hooks, no template, no name.
const GIT = {
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'test',
  GIT_AUTHOR_EMAIL: 'test@example.org',
  GIT_COMMITTER_NAME: 'test',
  GIT_COMMITTER_EMAIL: 'test@example.org',
};
const env = Object.fromEntries(
  Object.entries({ ...process.env, ...GIT }).filter(
    ([name]) => !/^GIT_(DIR|WORK_TREE|INDEX_FILE|COMMON_DIR)$/.test(name),
  ),
);

export function git(cwd: string, ...words: string[]): string {
  return execFileSync('git', words, { cwd, env, encoding: 'utf8', timeout: 20_000, stdio: 'pipe' });
}

export const LOCK = '.wt-create.lock';

/** Names with numbers that are not their ids. */
export const names = oneTo(30).map((each) => `feature-${each * 7}`);

/** A repository with one commit, and where its worktrees will be. */
export function repository(): { repo: string; base: string } {
  const repo = join(testFolder(), 'project');
  mkdirSync(repo);
  git(repo, 'init', '--quiet', '--initial-branch=main');
  git(repo, 'commit', '--quiet', '--allow-empty', '--message=first');
  return { repo, base: `${repo}.worktrees` };
}

/** `wt …` in `cwd`. */
export function wt(cwd: string, ...words: string[]): Program {
  return Program.start(process.execPath, [join(EXAMPLE, 'wt.mjs'), ...words], { cwd, env });
}

export interface Trees {
  base: string;
  add(path: string, fd?: number): Promise<unknown>;
  discard(path: string, fd?: number): Promise<unknown>;
}

interface Example {
  create(
    trees: Trees,
    name: string,
    options?: { locker?: Locker; timeout?: number },
  ): Promise<{ id: number; name: string; path: string }>;
  list(trees: Pick<Trees, 'base'>): Promise<{ id: number | null; name: string }[]>;
}

export const example = (): Promise<Example> => import(join(EXAMPLE, 'worktrees.mjs'));
