import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';

/**
 * The worktrees of the repository that `cwd` is in. All of them are in one folder
 * beside it, whichever worktree `cwd` is in.
 */
export async function worktreesOf(cwd) {
  const words = ['rev-parse', '--path-format=absolute', '--git-common-dir'];
  const common = await git(words, { cwd });
  const base = `${common.replace(/\/\.git$/, '')}.worktrees`;
  return {
    base,
    /** On the branch with the name of its folder, which is created if missing. */
    add: (path, fd) => git(['worktree', 'add', '--quiet', path], { cwd: common, fd }),
    /** Removes whatever exists of it: git may have been killed, too. */
    async discard(path, fd) {
      await rm(path, { recursive: true, force: true });
      const known = await git(['worktree', 'list', '--porcelain'], { cwd: common, fd });
      if (!known.split('\n').includes(`worktree ${path}`)) return;
      // Twice: git locks a worktree until it is complete.
      await git(['worktree', 'remove', '--force', '--force', path], { cwd: common, fd });
    },
  };
}

/** With `fd`, processes that wait for us also wait for git, even if we are killed. */
async function git(words, { cwd, fd }) {
  const stdio = ['ignore', 'pipe', 'pipe', ...(fd === undefined ? [] : [fd])];
  const child = spawn('git', words, { cwd, stdio });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const [code, signal] = await once(child, 'close');
  if (code === 0) return stdout.trim();
  throw new Error(stderr.trim() || `git ${words[0]} ended with ${code ?? signal}`);
}
