import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The environment without git's variables, and with an author. */
export function gitEnvironment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(?:GIT|HOLDFAST)_/.test(name));
  return {
    ...Object.fromEntries(own),
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_SYSTEM: '/dev/null',
    GIT_AUTHOR_NAME: 'a',
    GIT_AUTHOR_EMAIL: 'a@example.org',
    GIT_COMMITTER_NAME: 'a',
    GIT_COMMITTER_EMAIL: 'a@example.org',
    ...more,
  };
}

export function git(cwd: string, ...args: string[]): string {
  const given = ['-c', 'protocol.file.allow=always', '-c', 'init.defaultBranch=main', ...args];
  const options = { cwd, env: gitEnvironment(), encoding: 'utf8', timeout: 30_000 } as const;
  const { status, stdout, stderr } = spawnSync('git', given, options);
  if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`);
  return stdout;
}

export function write(folder: string, name: string, text = name): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
}

/** A repository with these files in its first commit. */
export function repository(path: string, ...files: string[]): string {
  mkdirSync(path, { recursive: true });
  git(path, 'init', '-q');
  for (const each of files) write(path, each);
  git(path, 'add', '-A');
  git(path, 'commit', '-q', '--allow-empty', '-m', 'first');
  return path;
}

/** A linked working tree, detached. */
export function linkedTree(of: string, path: string): string {
  git(of, 'worktree', 'add', '-q', '--detach', path);
  return path;
}

/** Adds a submodule with the files `a.ts` and `lib/b.ts`, and commits it. */
export function addSubmodule(to: string, from: string, path: string): string {
  git(to, 'submodule', '--quiet', 'add', from, path);
  git(to, 'commit', '-qm', `add ${path}`);
  return join(to, path);
}
