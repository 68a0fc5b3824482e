import { execFile } from 'node:child_process';
import { plainPath } from './pattern.js';
import type { Part } from './scope.js';

// An answer that takes longer is not worth the wait.
const TIMEOUT_MILLISECONDS = 5000;

/**
 * Whether the files of a part are those of HEAD in its tree: nothing changed,
 * added, deleted, or ignored by git. False also where git cannot tell.
 */
export function isClean({ patterns, tree }: Part): Promise<boolean> {
  const isPlain = patterns.every(({ literal, folder }) => literal || folder);
  if (tree === null || patterns.length === 0 || !isPlain) return Promise.resolve(false);
  const options = ['--porcelain', '-z', '--untracked-files=all', '--ignored=traditional'];
  const git = ['--no-optional-locks', '--literal-pathspecs', '-c', 'core.fsmonitor=false'];
  const args = [...git, 'status', ...options, '--', ...patterns.map(plainPath)];
  // The environment of a hook of git would lead to another repository.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_')),
  );
  return new Promise((resolve) => {
    execFile('git', args, { cwd: tree, env, timeout: TIMEOUT_MILLISECONDS }, (error, stdout) => {
      resolve(error === null && stdout === '');
    });
  });
}
