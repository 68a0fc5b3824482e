import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect } from 'vitest';
import { FILL, mountedAt } from '../support/disk.js';
import { lockPath, testFolder } from '../support/folder.js';
import { instanceProgram, runningInstance, told } from '../support/instance.js';
import { NOBODY, needs } from '../support/tools.js';

const TRY = `
  for (const options of [{}, { force: { how: 'steal' } }]) {
    await InstanceLock.acquire(path, options).then(() => say('{"name":"held"}'), tell);
  }
  say(JSON.stringify({ name: process.listenerCount('SIGTERM') }));`;

describe('no permission', () => {
  needs('root')('for the folder: EACCES', async () => {
    const path = lockPath();
    chmodSync(dirname(path), 0o755);
    const end = await instanceProgram(path, TRY, NOBODY).exited;
    expect(told(end)).toMatchObject([{ code: 'EACCES' }, { code: 'EACCES' }, { name: 0 }]);
    expect(existsSync(path)).toBe(false);
  });

  needs('root')('for the file: EACCES, and it is not touched', async () => {
    const path = lockPath();
    chmodSync(dirname(path), 0o777);
    writeFileSync(path, '', { mode: 0o600 });
    const { ino } = statSync(path);
    const end = await instanceProgram(path, TRY, NOBODY).exited;
    expect(told(end)).toMatchObject([{ code: 'EACCES' }, { code: 'EACCES' }, { name: 0 }]);
    expect(statSync(path).ino).toBe(ino);
  });

  needs('root')(
    'to write the file: an error, since a record is required, and given back',
    async () => {
      const path = lockPath();
      chmodSync(dirname(path), 0o777);
      writeFileSync(path, '');
      chmodSync(path, 0o444);
      const end = await instanceProgram(path, TRY, NOBODY).exited;
      expect(told(end)).toMatchObject([
        { code: 'ERR_LOCK_STATE' },
        { code: 'ERR_LOCK_STATE' },
        { name: 0 },
      ]);
      expect(readFileSync(path, 'utf8')).toBe('');
    },
  );

  needs('root')(
    'to write the file that another holds: refused with its pid, and not replaced',
    async () => {
      const path = lockPath();
      chmodSync(dirname(path), 0o755);
      const holder = await runningInstance(path);
      chmodSync(path, 0o444);
      const before = readFileSync(path, 'utf8');
      const end = await instanceProgram(path, TRY, NOBODY).exited;
      const [plain, stealing, listeners] = told(end);
      expect(plain).toMatchObject({ name: 'AlreadyRunningError', pid: holder.pid });
      expect(stealing).toMatchObject({ code: 'EACCES' });
      expect(listeners).toMatchObject({ name: 0 });
      expect(readFileSync(path, 'utf8')).toBe(before);
      expect(readdirSync(dirname(path))).toEqual(['test.lock']);
    },
  );
});

describe('the disk', () => {
  needs('root', 'unshare')(
    'is read-only: an error for a new file and for one that is there',
    async () => {
      const folder = testFolder();
      const path = join(folder, 'test.lock');
      const then = 'touch "$0/test.lock" && mount -o remount,ro "$0"';
      const wrap = mountedAt(folder, 'size=64k', then);
      const there = told(await instanceProgram(path, TRY, { wrap }).exited);
      expect(there).toMatchObject([
        { code: 'ERR_LOCK_STATE' },
        { code: 'ERR_LOCK_STATE' },
        { name: 0 },
      ]);
      const fresh = told(await instanceProgram(join(folder, 'new.lock'), TRY, { wrap }).exited);
      expect(fresh).toMatchObject([{ code: 'EROFS' }, { code: 'EROFS' }, { name: 0 }]);
    },
  );

  needs('root', 'unshare')(
    'is full: ENOSPC, the lock is given back, and all is well once there is room',
    async () => {
      const folder = testFolder();
      const path = join(folder, 'test.lock');
      const end = await instanceProgram(
        path,
        `${FILL}
      fill();
      await InstanceLock.acquire(path).catch(tell);
      try {
        InstanceLock.acquireSync(path);
      } catch (error) {
        tell(error);
      }
      FileLock.acquireSync(path, { record: false }).releaseSync();
      say(JSON.stringify({ name: process.listenerCount('SIGTERM') }));
      empty();
      const lock = await InstanceLock.acquire(path);
      lock.releaseSync();
      say(JSON.stringify({ name: String(fs.existsSync(path)) }));`,
        { wrap: mountedAt(folder, 'size=16k') },
      ).exited;
      expect(end.stderr).toBe('');
      expect(told(end)).toMatchObject([
        { code: 'ENOSPC' },
        { code: 'ENOSPC' },
        { name: 0 },
        { name: 'false' },
      ]);
    },
  );

  needs('root', 'unshare')(
    'is full when one steals: ENOSPC, and the holder keeps its file',
    async () => {
      const folder = testFolder();
      const path = join(folder, 'test.lock');
      const end = await instanceProgram(
        path,
        `const lock = await InstanceLock.acquire(path);
      lock.on('lost', () => say('lost'));
      ${FILL}
      fill();
      await InstanceLock.acquire(path, { force: { how: 'steal' } }).catch(tell);
      say(JSON.stringify({ name: String(lock.isCurrent()) }));
      say(JSON.stringify({ name: String(fs.readdirSync(args[0]).length) }));`,
        { wrap: mountedAt(folder, 'size=16k'), args: [folder] },
      ).exited;
      expect(end.stderr).toBe('');
      expect(told(end)).toMatchObject([{ code: 'ENOSPC' }, { name: 'true' }, { name: '2' }]);
    },
  );
});
