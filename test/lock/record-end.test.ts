import {
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseContent } from '../../src/holders/owner-record.js';
import { FileLock } from '../../src/index.js';
import { lockPath, testFolder } from '../support/folder.js';
import { Peer } from '../support/peer.js';
import { Program } from '../support/program.js';
import { runScript } from '../support/script.js';
import { needs } from '../support/tools.js';

const read = (path: string): string => readFileSync(path, 'utf8');
const tokenAlone = (token: number): string => `{"holdfast":{"token":${token}}}\n`;

describe('the end of the process', () => {
  const orderly: [string, string, number][] = [
    ['process.exit()', 'process.exit(3);', 3],
    ['process.exitCode and nothing to do', 'process.exitCode = 4;', 4],
    ['an uncaught error', `setImmediate(() => { throw new Error('on purpose'); });`, 1],
    ['an unhandled rejection', `Promise.reject(new Error('on purpose'));`, 1],
    [
      'process.exit() in the midst of waits',
      `FileLock.acquire(path); FileLock.acquire(path); setTimeout(() => process.exit(5), 20);`,
      5,
    ],
  ];
  test.each(orderly)('by %s is a release', async (_, source, code) => {
    const folder = testFolder();
    const at = (name: string): string => join(folder, name);
    const script = `
      const lock = FileLock.acquireSync(path, { data: { port: 80 } });
      report(lock.token);
      FileLock.acquireSync(path + '.pid', { record: 'pid' });
      FileLock.acquireSync(path + '.gone', { keepFile: false });
      fs.writeFileSync(path + '.data', 'data');
      FileLock.acquireSync(path + '.data', { keepFile: false });
      ${source}
    `;
    const end = await runScript(at('test.lock'), script);
    expect(end).toMatchObject({ code, signal: null });
    expect(read(at('test.lock'))).toBe(tokenAlone(end.reports[0]));
    expect(read(at('test.lock.pid'))).toBe('');
    expect(existsSync(at('test.lock.gone'))).toBe(false);
    expect(read(at('test.lock.data'))).toBe('data');
    const lock = FileLock.acquireSync(at('test.lock'));
    expect(lock.previous).toBeNull();
    lock.releaseSync();
  });

  test.each(['SIGKILL', 'SIGTERM', 'SIGSEGV'] as const)('by %s is none', async (signal) => {
    const path = lockPath();
    const script = `
      FileLock.acquireSync(path);
      process.kill(process.pid, '${signal}');
      setInterval(() => {}, 1000);
    `;
    expect(await runScript(path, script)).toMatchObject({ signal });
    const lock = FileLock.acquireSync(path);
    expect(lock.previous).toMatchObject({ running: false });
    lock.releaseSync();
  });

  test('does not touch the record of the next holder', async () => {
    const path = lockPath();
    const holder = Program.module(
      `
      const lock = FileLock.acquireSync(args[0], { keepFile: false });
      process.stdin.once('end', () => process.exit()).resume();
      say('held');`,
      [path],
    );
    await holder.says('held');
    renameSync(path, `${path}.old`);
    const lock = FileLock.acquireSync(path);
    const record = read(path);
    expect(await holder.end()).toMatchObject({ code: 0 });
    expect(read(path)).toBe(record);
    lock.releaseSync();
  });
});

describe('keepFile: false', () => {
  test('removes the file on release', async () => {
    const path = lockPath();
    for (const options of [{}, { record: 'pid' }, { record: false }, { mode: 'shared' }] as const) {
      const lock = await FileLock.acquire(path, { ...options, keepFile: false });
      expect(existsSync(path)).toBe(true);
      await lock.release();
      expect(existsSync(path)).toBe(false);
    }
    const crashed = await Peer.start();
    await crashed.acquire('a', path);
    await crashed.kill();
    FileLock.acquireSync(path, { keepFile: false }).releaseSync();
    expect(existsSync(path)).toBe(false);
  });

  test('of shared holders the last one removes it', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    const options = { mode: 'shared', keepFile: false } as const;
    await peer.acquire('a', path, options);
    const own = FileLock.acquireSync(path, options);
    await peer.release('a');
    expect(own.isCurrent()).toBe(true);
    expect(await peer.tryAcquire('b', path)).toBeNull();
    own.releaseSync();
    expect(existsSync(path)).toBe(false);
  });

  test("never removes another holder's file", () => {
    const path = lockPath();
    const first = FileLock.acquireSync(path, { keepFile: false });
    renameSync(path, `${path}.old`);
    const second = FileLock.acquireSync(path);
    const { ino } = statSync(path);
    first.releaseSync();
    expect(statSync(path).ino).toBe(ino);
    expect(second.isCurrent()).toBe(true);
    second.releaseSync();
  });

  test('keeps exclusion among those who compare', async () => {
    const path = lockPath();
    const counter = `${path}.counter`;
    writeFileSync(counter, '0');
    const script = `
      for (let turn = 0; turn < 60; turn++) {
        await holdfast.withLock(path, { keepFile: false }, () => {
          fs.writeFileSync(args[0], String(Number(fs.readFileSync(args[0], 'utf8')) + 1));
        });
      }
    `;
    await Promise.all([0, 1, 2].map(() => runScript(path, script, { args: [counter] })));
    expect(read(counter)).toBe('180');
    expect(existsSync(path)).toBe(false);
  });
});

describe('a kill in the midst of a write', () => {
  /** A write to the file ends after its first two pages, and a later one kills. */
  function killedAtWrite(path: string, number: number, source: string) {
    const inject = `inject=pwrite64:error=EINTR:signal=SIGKILL:when=${number}+`;
    const limit = `
      const { execFileSync } = await import('node:child_process');
      const limit = () => execFileSync('prlimit', ['--pid', String(process.pid), '--fsize=8192']);
      const data = { long: 'x'.repeat(60_000) };
    `;
    return runScript(path, limit + source, {
      wrap: ['strace', '-f', '-qq', '-o', '/dev/null', '-P', path, '-e', inject],
    });
  }

  needs('prlimit', 'strace')('of the record leaves a file that is still ours', async () => {
    const path = lockPath();
    FileLock.acquireSync(path).releaseSync();
    const end = await killedAtWrite(path, 2, 'limit(); FileLock.acquireSync(path, { data });');
    expect(end).toMatchObject({ signal: 'SIGKILL' });
    expect(parseContent(read(path))).toMatchObject({ ours: true });
    FileLock.acquireSync(path, { record: 'json' }).releaseSync();
  });

  needs('prlimit', 'strace')('of what a release leaves does so too', async () => {
    const path = lockPath();
    const source =
      'const lock = FileLock.acquireSync(path, { data }); limit(); lock.releaseSync();';
    const end = await killedAtWrite(path, 3, source);
    expect(end).toMatchObject({ signal: 'SIGKILL' });
    expect(parseContent(read(path))).toMatchObject({ ours: true });
    FileLock.acquireSync(path, { record: 'json' }).releaseSync();
  });

  test('at random, of holders with long records, leaves files that are ours', {
    tags: ['long'],
  }, async () => {
    const entry = new URL('../../dist/index.js', import.meta.url).href;
    const source = `
      const { FileLock } = await import('${entry}');
      const long = 'x'.repeat(60_000);
      for (let turn = 0; ; turn++) {
        FileLock.acquireSync(process.argv[1], { data: { long } }).releaseSync();
        if (turn === 3) process.stdout.write('running');
      }
    `;
    // On tmpfs the kernel writes page by page and stops at a fatal signal.
    const folder = mkdtempSync(
      existsSync('/dev/shm') ? '/dev/shm/holdfast-' : `${tmpdir()}/holdfast-`,
    );
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const files = Array.from({ length: 24 }, (_, index) => join(folder, `${index}.lock`));
    const queue = [...files];
    const killEach = async (): Promise<void> => {
      for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
        const args = ['--input-type=module', '-e', source, file];
        const program = Program.start(process.execPath, args);
        await program.says('running');
        // A moment at random; it waits for nothing.
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
        await program.kill();
      }
    };
    await Promise.all([killEach(), killEach(), killEach()]);
    for (const file of files) expect(parseContent(read(file))).toMatchObject({ ours: true });
  });
});

test('content that somebody has written meanwhile stays as it is', () => {
  const path = lockPath();
  for (const keepFile of [true, false]) {
    const lock = FileLock.acquireSync(path, { keepFile });
    writeFileSync(path, 'mine\n');
    lock.releaseSync();
    expect(readFileSync(path, 'utf8')).toBe('mine\n');
    rmSync(path);
  }
});

test('nor is it overwritten by an update, or removed by a shared holder of the same size', () => {
  const path = lockPath();
  const lock = FileLock.acquireSync(path, { data: { a: 1 } });
  writeFileSync(path, 'my notes');
  expect(() => lock.update({ a: 2 })).toThrow(expect.objectContaining({ code: 'ERR_LOCK_LOST' }));
  lock.releaseSync();
  expect(readFileSync(path, 'utf8')).toBe('my notes');
  rmSync(path);

  FileLock.acquireSync(path).releaseSync();
  const { length } = readFileSync(path, 'utf8');
  const shared = FileLock.acquireSync(path, { mode: 'shared', keepFile: false });
  writeFileSync(path, 'n'.repeat(length));
  shared.releaseSync();
  expect(readFileSync(path, 'utf8')).toBe('n'.repeat(length));
});
