// @module-tag long
import { describe, expect } from 'vitest';
import { FileLock } from '../../src/index.js';
import { lockPath } from '../support/folder.js';
import { runScript } from '../support/script.js';
import { failing } from '../support/strace.js';
import { needs } from '../support/tools.js';

describe('after a fault', () => {
  needs('strace')('of downgrade the record still goes with the lock', async () => {
    const path = lockPath();
    const script = `
      const lock = FileLock.acquireSync(path, JSON.parse(args[0]));
      report(await outcome(() => lock.downgrade()));
      report([lock.held, lock.mode]);
      report(await outcome(() => lock.releaseSync()));
      report(FileLock.acquireSync(path).previous);
    `;
    const error = { code: 'EIO', syscall: 'write', path };
    for (const [options, answer, mode] of [
      [{ record: 'json' }, error, 'exclusive'],
      [{}, {}, 'shared'],
    ] as const) {
      const { reports, stderr } = await runScript(path, script, {
        wrap: failing(path, 'pwrite64:error=EIO:when=2'),
        args: [JSON.stringify(options)],
      });
      expect(reports).toMatchObject([answer, [true, mode], {}, null]);
      expect(reports[0].code).toBe((answer as typeof error).code);
      expect(stderr.includes('HOLDFAST_NO_RECORD')).toBe(mode === 'shared');
    }
  });

  needs('strace')(
    'of the old file, which is gone from the path, a theft is one all the same',
    async () => {
      const path = lockPath();
      using _lock = FileLock.acquireSync(path);
      const script = `
      const { InstanceLock } = await import(new URL('instance.js', process.env.HOLDFAST_TEST_ENTRY));
      const lock = await InstanceLock.acquire(path, { force: { how: 'steal' } });
      report([lock.held, lock.isCurrent()]);
      lock.releaseSync();
      report(FileLock.acquireSync(path).previous);
    `;
      // The first to read the old file once another is in its place.
      const { reports } = await runScript(path, script, {
        wrap: failing(path, 'pread64:error=EIO:when=2'),
      });
      expect(reports).toMatchObject([[true, true], null]);
    },
  );

  needs('strace')(
    'a file that somebody removed just before its holder did is no error',
    async () => {
      const path = lockPath();
      const script = `
      const lock = FileLock.acquireSync(path, { keepFile: false });
      report(await outcome(() => lock.releaseSync()));
      report(FileLock.acquireSync(path).held);
    `;
      const { reports } = await runScript(path, script, {
        wrap: failing(path, '?unlink,?unlinkat:error=ENOENT:when=1'),
      });
      expect(reports[0]).not.toHaveProperty('code');
      expect(reports[1]).toBe(true);
    },
  );
});
