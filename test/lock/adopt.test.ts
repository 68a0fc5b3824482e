import { closeSync, fstatSync, openSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { lockPath } from '../support/folder.js';
import { GIVEN, heir } from '../support/heir.js';
import { Program } from '../support/program.js';

describe('adopt refuses', () => {
  function opened(path: string): number {
    const fd = openSync(path, 'a+');
    onTestFinished(() => closeSync(fd));
    return fd;
  }

  test('a descriptor without a lock', () => {
    const path = lockPath();
    const fd = opened(path);
    expect(() => FileLock.adopt(fd, path)).toThrow(
      expect.objectContaining({ code: 'ERR_LOCK_STATE', path }),
    );
    expect(fstatSync(fd).isFile()).toBe(true);
    FileLock.acquireSync(path).releaseSync();
  });

  test('a descriptor whose file somebody else has locked', () => {
    const path = lockPath();
    const fd = opened(path);
    using lock = FileLock.acquireSync(path);
    expect(() => FileLock.adopt(fd, path)).toThrow(
      expect.objectContaining({ code: 'ERR_LOCK_STATE' }),
    );
    expect(lock.held).toBe(true);
  });

  test('the descriptor of a lock that this thread has already', () => {
    const path = lockPath();
    using lock = FileLock.acquireSync(path);
    expect(() => FileLock.adopt(lock.fd, path)).toThrow(
      expect.objectContaining({ code: 'ERR_LOCK_STATE' }),
    );
    expect(lock.isCurrent()).toBe(true);
    expect(FileLock.tryAcquire(path)).toBeNull();
  });

  test('a closed descriptor', () => {
    const path = lockPath();
    const fd = openSync(path, 'a+');
    closeSync(fd);
    expect(() => FileLock.adopt(fd, path)).toThrow(expect.objectContaining({ code: 'EBADF' }));
  });

  test.each(['of another file', 'of no file'])('a path %s', async (kind) => {
    const path = lockPath();
    const lock = FileLock.acquireSync(path);
    const child = await heir(lock);
    const other = `${path}.other`;
    if (kind === 'of another file') FileLock.acquireSync(other).releaseSync();
    await expect(child.call('adopt', 'a', GIVEN, other)).rejects.toMatchObject({
      code: 'ERR_LOCK_LOST',
      path: other,
    });
    // The descriptor is as it was, so the right path still does.
    expect(await child.call('adopt', 'a', GIVEN, path)).toMatchObject({ held: true });
    lock.detach();
    expect(FileLock.tryAcquire(path)).toBeNull();
  });

  test('and leaves the descriptor as it was', async () => {
    const path = lockPath();
    const fd = opened(path);
    const child = Program.module(
      `
      import { readFileSync } from 'node:fs';
      const flags = () => /flags:\\s*(\\d+)/.exec(readFileSync('/proc/self/fdinfo/3', 'latin1'))[1];
      const before = flags();
      let code;
      try {
        FileLock.adopt(3, args[0]);
      } catch (error) {
        ({ code } = error);
      }
      say(code + ' ' + (flags() === before ? 'as before' : before + ' ' + flags()));`,
      [path],
      { stdio: ['pipe', 'pipe', 'pipe', fd] },
    );
    expect(await child.exited).toMatchObject({ stdout: 'ERR_LOCK_STATE as before\n' });
  });
});
