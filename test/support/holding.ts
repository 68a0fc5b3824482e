import { expect } from 'vitest';
import { FileLock } from '../../src/index.js';
import { limit } from './limit.js';
import { Program } from './program.js';
import { errorOf } from './refused.js';

// On an idle machine it takes milliseconds; without limits it took seconds and
// minutes. Shared machines stall.
export const LONGEST_MILLISECONDS = 1500;

/** A program that holds the lock at argv[1], whatever else it is. */
const HOLD = `
import ctypes, fcntl, os, resource, sys
def hold():
    file = open(sys.argv[1], 'a')
    fcntl.flock(file, fcntl.LOCK_EX)
    print('held', flush=True)
    return file
`;

/** A python3 program that holds the lock at `path`, after it has run `how`. */
export async function holding(path: string, how: string, args = '[]'): Promise<Program> {
  const program = `${HOLD}${how}\nsys.stdin.read()`;
  // It makes its arguments itself: to pass so many on takes Node seconds.
  const again = `import os, sys; os.execv(sys.executable, ['python3', '-c', sys.argv[2], sys.argv[1]] + ${args})`;
  const holder = Program.start('python3', ['-c', again, path, program]);
  await holder.says('held');
  return holder;
}

/** The error of a refusal, and that it came soon. */
export async function refusalSoon(path: string): Promise<{ holder: Record<string, unknown> }> {
  await errorOf(() => FileLock.acquireSync(path));
  const began = performance.now();
  const error = await errorOf(() => FileLock.acquireSync(path));
  expect(performance.now() - began).toBeLessThan(limit(LONGEST_MILLISECONDS));
  expect(error).toMatchObject({ code: 'ERR_LOCK_HELD' });
  return error as unknown as { holder: Record<string, unknown> };
}
