import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { retryWhileBusy } from '../../src/update/retry-while-busy.js';
import { onDisk } from '../support/disk.js';
import { errorOf } from '../support/refused.js';
import { runScript } from '../support/script.js';
import { failing } from '../support/strace.js';
import { needs } from '../support/tools.js';
import { litterIn, targetFile, UPDATE } from '../support/update.js';

describe('on a full disk', () => {
  needs(
    'root',
    'unshare',
    'flock',
  )(
    'the old content stays whole, there is no temporary file, and the next one succeeds',
    async () => {
      const { reports } = await onDisk(
        64,
        `${UPDATE}
        const old = 'old '.repeat(1000);
        await updateFile(path, () => old);
        fill();
        const free = fs.openSync(filler, 'r+');
        // Room for a page: the write is short, and the next one fails.
        fs.ftruncateSync(free, fs.fstatSync(free).size - 8192);
        report(await outcome(() => updateFile(path, () => 'new '.repeat(8000))));
        report([text() === old, names()]);
        empty();
        await updateFile(path, () => 'new '.repeat(8000));
        report([text().length, names()]);
        `,
      );
      const files = 'test.lock,test.lock.filler,test.lock.lock';
      expect(reports[0]).toMatchObject({ code: 'ENOSPC', syscall: 'write' });
      expect(reports.slice(1)).toEqual([
        [true, files],
        [32_000, files],
      ]);
    },
  );

  needs(
    'root',
    'unshare',
    'flock',
  )('nor without any room, or on a read-only one', async () => {
    const { reports } = await onDisk(
      16,
      `${UPDATE}
      await updateFile(path, () => 'old');
      fill();
      report(await outcome(() => updateFile(path, () => 'new')));
      report([text(), names()]);
      remount('ro');
      report(await outcome(() => updateFile(path, () => 'new')));
      report([text(), names()]);
      report(await outcome(() => updateFile(path, () => undefined)));
      remount('rw');
      `,
    );
    const names = 'test.lock,test.lock.filler,test.lock.lock';
    expect(reports).toMatchObject([
      { code: 'ENOSPC' },
      ['old', names],
      { code: 'EROFS' },
      ['old', names],
      { value: 'old' },
    ]);
  });
});

/** Where a call fails under strace, which counts by the name of the call. */
async function whereFails(injection: string, durable = true): Promise<[unknown, string, string[]]> {
  const path = targetFile('old');
  const script = `${UPDATE}
    report(await outcome(() => updateFile(path, { durable: ${durable} }, () => 'new')));`;
  const { reports } = await runScript(path, script, {
    wrap: ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `inject=${injection}`],
  });
  return [reports[0], readFileSync(path, 'utf8'), litterIn(dirname(path))];
}

describe('a failing', () => {
  needs('strace')('fsync of the file leaves the old content', async () => {
    expect(await whereFails('fsync:error=EIO:when=1')).toEqual([
      expect.objectContaining({ code: 'EIO', syscall: 'fsync' }),
      'old',
      [],
    ]);
  });

  needs('strace')('rename as well', async () => {
    const [error, text, litter] = await whereFails('?rename,?renameat,?renameat2:error=EIO');
    expect(error).toMatchObject({ code: 'EIO', syscall: 'rename' });
    expect([text, litter]).toEqual(['old', []]);
  });

  needs('strace')('fsync of the folder is an error, with the new content in place', async () => {
    const path = targetFile('old');
    const script = `${UPDATE}
      report(await outcome(() => updateFile(path, () => 'new')));`;
    const wrap = failing(dirname(path), 'fsync:error=EIO');
    const { reports } = await runScript(path, script, { wrap });
    expect(reports).toMatchObject([{ code: 'EIO', syscall: 'fsync', path: dirname(path) }]);
    expect(readFileSync(path, 'utf8')).toBe('new');
    const without = failing(dirname(path), 'fsync:error=EINVAL');
    const other = await runScript(path, script.replace("'new'", "'newer'"), { wrap: without });
    expect(other.reports).toEqual([{ value: 'newer' }]);
  });
});

describe('what is durable', () => {
  needs('strace')('is synced, before the rename the file and after it the folder', async () => {
    const path = targetFile('old');
    const trace = join(dirname(path), '..', `${basename(dirname(path))}.trace`);
    const calls = async (options: string): Promise<string[]> => {
      const script = `${UPDATE} await updateFile(path, ${options}, (old) => old + '+');`;
      const names = 'trace=fsync,?rename,?renameat,?renameat2';
      // Descriptors with their paths.
      await runScript(path, script, {
        wrap: ['strace', '-f', '-qq', '-y', '-o', trace, '-e', names],
      });
      const folder = dirname(path);
      const said = readFileSync(trace, 'utf8').split('\n');
      return said.flatMap((line) => {
        const call = /(fsync|rename)\w*\(/.exec(line)?.[1];
        if (call === undefined || !line.includes(folder)) return [];
        return [call === 'fsync' && line.includes(`<${folder}>`) ? 'fsync of the folder' : call];
      });
    };
    expect(await calls('{}')).toEqual(['fsync', 'rename', 'fsync of the folder']);
    expect(await calls('{ durable: false }')).toEqual(['rename']);
    expect(readFileSync(path, 'utf8')).toBe('old++');
  });
});

describe('a rename that Windows refuses because somebody reads the file', () => {
  const busy = (code: string): Error => Object.assign(new Error(code), { code });

  test('is tried again, for as long as there is time', async () => {
    for (const code of ['EPERM', 'EBUSY', 'EACCES']) {
      let tries = 0;
      const attempt = (): void => {
        if (++tries < 4) throw busy(code);
      };
      await retryWhileBusy(attempt, () => 1000, 'win32');
      expect(tries).toBe(4);
    }
    let left = 3;
    const always = (): never => {
      throw busy('EPERM');
    };
    const error = await errorOf(() => retryWhileBusy(always, () => left--, 'win32'));
    expect(error).toMatchObject({ code: 'EPERM' });
    expect(left).toBe(-1);
  });

  test('is final for another reason, and on other systems', async () => {
    for (const [code, platform] of [
      ['ENOSPC', 'win32'],
      ['EPERM', 'linux'],
    ] as const) {
      let tries = 0;
      const attempt = (): void => {
        tries++;
        throw busy(code);
      };
      const error = await errorOf(() => retryWhileBusy(attempt, () => 1000, platform));
      expect(error).toMatchObject({ code });
      expect(tries).toBe(1);
    }
  });
});
