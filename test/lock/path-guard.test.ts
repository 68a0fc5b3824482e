import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { InstanceLock } from '../../src/instance/instance-lock.js';
import { lockPath } from '../support/folder.js';
import { limit } from '../support/limit.js';
import { Program } from '../support/program.js';
import { NOBODY, needs } from '../support/tools.js';

/** Another user, who may only read the file, takes a read lock of fcntl(2) on all of it. */
async function readLocked(path: string): Promise<Program> {
  chmodSync(dirname(path), 0o755);
  const script = `
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
fcntl.lockf(fd, fcntl.LOCK_SH)
print('locked', flush=True)
sys.stdin.read()`;
  const reader = Program.start('python3', ['-c', script, path], { ...NOBODY, cwd: '/' });
  await reader.says('locked');
  return reader;
}

/** One for all lock files of this user's in the folder. */
function besideOf(path: string): string {
  return join(dirname(path), `.holdfast-${process.getuid?.()}`);
}

function leftIn(path: string): string[] {
  return readdirSync(dirname(path));
}

needs('python3', 'root')('a reader’s lock does not keep a file from being removed', async () => {
  const path = lockPath();
  const lock = FileLock.acquireSync(path, { permissions: 0o644, keepFile: false });
  const reader = await readLocked(path);
  lock.releaseSync();
  expect(leftIn(path)).toEqual([]);
  await reader.end();
});

needs('python3', 'root')('nor a lock from being stolen', async () => {
  const path = lockPath();
  const victim = await InstanceLock.acquire(path, { permissions: 0o644 });
  const reader = await readLocked(path);
  const thief = await InstanceLock.acquire(path, { permissions: 0o644, force: { how: 'steal' } });
  expect([victim.isCurrent(), thief.isCurrent()]).toEqual([false, true]);
  await victim.release();
  expect(thief.isCurrent()).toBe(true);
  await thief.release();
  expect(leftIn(path)).toEqual([]);
  await reader.end();
});

needs('python3', 'root')('nor a record from being taken out by a detach', async () => {
  const path = lockPath();
  const lock = FileLock.acquireSync(path, { permissions: 0o644 });
  const reader = await readLocked(path);
  lock.detach();
  expect(JSON.parse(readFileSync(path, 'utf8'))).not.toHaveProperty('pid');
  await reader.end();
});

const ODD: [string, (beside: string) => void][] = [
  ['with content', (beside) => writeFileSync(beside, 'mine')],
  ['a folder', (beside) => mkdirSync(beside)],
  ['a symlink', (beside) => symlinkSync('nowhere', beside)],
  [
    'of another user',
    (beside) => {
      writeFileSync(beside, '');
      chownSync(beside, 65534, 65534);
    },
  ],
];

describe.each(ODD)('a file beside %s', (_, make) => {
  needs('root')('is no guard: it stays, and nobody waits for it', () => {
    const path = lockPath();
    make(besideOf(path));
    const lock = FileLock.acquireSync(path, { permissions: 0o644, keepFile: false });
    const began = performance.now();
    lock.releaseSync();
    expect(performance.now() - began).toBeLessThan(limit(50));
    expect(leftIn(path)).toEqual([basename(besideOf(path))]);
  });

  needs('python3', 'root')(
    'with a reader’s lock as well the lock is free all the same',
    async () => {
      const path = lockPath();
      make(besideOf(path));
      const lock = FileLock.acquireSync(path, { permissions: 0o644, keepFile: false });
      const reader = await readLocked(path);
      lock.releaseSync();
      expect(leftIn(path)).toContain(basename(besideOf(path)));
      FileLock.acquireSync(path).releaseSync();
      await reader.end();
    },
  );
});

test('one that a killed process left is used, and goes', () => {
  const path = lockPath();
  writeFileSync(besideOf(path), '');
  FileLock.acquireSync(path, { permissions: 0o644, keepFile: false }).releaseSync();
  expect(leftIn(path)).toEqual([]);
});
