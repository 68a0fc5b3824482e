import { join } from 'node:path';
import { expect } from 'vitest';
import { testFolder } from './folder.js';
import { runScript, type ScriptResult } from './script.js';

/**
 * What runs node with a tmpfs mounted at `folder`, which only its processes
 * see; `then` is a command of the shell, with the folder as `$0`.
 */
export function mountedAt(folder: string, options: string, then = 'true'): string[] {
  const script = `mount -t tmpfs -o ${options} none "$0" && ${then} && exec "$@"`;
  return ['unshare', '-m', 'sh', '-c', script, folder];
}

/** For a script with `fs` and `path`: fills the disk, and empties it again. */
export const FILL = `
  const filler = path + '.filler';
  const fill = () => {
    const fd = fs.openSync(filler, 'w');
    try {
      for (;;) fs.writeSync(fd, Buffer.alloc(4096));
    } catch (error) {
      if (error.code !== 'ENOSPC') throw error;
    } finally {
      fs.closeSync(fd);
    }
  };
  const empty = () => fs.truncateSync(filler, 0);
`;

/** For a script: asks another process, since its own answers are under test. */
export const IS_FREE = `
  const { execFileSync } = await import('node:child_process');
  const isFree = () => {
    try {
      execFileSync('flock', ['-n', path, 'true']);
      return true;
    } catch {
      return false;
    }
  };
  // Node keeps a descriptor from its first child on.
  execFileSync('true');
`;

export const INSTANCE_LOCK = `
  const { InstanceLock } = await import(new URL('instance.js', process.env.HOLDFAST_TEST_ENTRY));
`;

const PRELUDE = `${FILL}${IS_FREE}${INSTANCE_LOCK}
  const { dirname } = await import('node:path');
  const remount = (how) => execFileSync('mount', ['-o', 'remount,' + how, dirname(path)]);
  const text = () => fs.readFileSync(path, 'utf8');
  const names = () => fs.readdirSync(dirname(path)).sort().join();
`;

/** Runs `source` with a tmpfs of `size` KiB mounted at the folder of its lock. */
export async function onDisk(size: number, source: string): Promise<ScriptResult> {
  const folder = testFolder();
  const result = await runScript(join(folder, 'test.lock'), PRELUDE + source, {
    wrap: mountedAt(folder, `size=${size}k,nr_inodes=8`),
  });
  expect(result).toMatchObject({ stderr: '', code: 0 });
  return result;
}
