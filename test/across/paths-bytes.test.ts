import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  FileLock,
  fileLocker,
  inspect,
  inspectFolder,
  type LockStatus,
  watchLock,
  withLock,
} from '../../src/index.js';
import { InstanceLock } from '../../src/instance.js';
import { memoryLocker } from '../../src/testing.js';
import { testFolder } from '../support/folder.js';
import { errorOf } from '../support/refused.js';
import { runScript } from '../support/script.js';
import { needs } from '../support/tools.js';

const CAFE = Buffer.from('caf\xe9', 'latin1');

interface Place {
  /** The name is not UTF-8. */
  folder: Buffer;
  /** What its name becomes when it is decoded and encoded again. */
  sibling: string;
  file: Buffer;
  text: string;
  /** Nothing has happened in the sibling. */
  untouched(): void;
}

function place(name: Buffer | string = 'a.lock'): Place {
  const parent = testFolder();
  const within = (folder: Buffer, child: Buffer | string): Buffer =>
    Buffer.concat([folder, Buffer.from('/'), Buffer.from(child as string)]);
  const folder = within(Buffer.from(parent), CAFE);
  const sibling = `${parent}/caf\ufffd`;
  mkdirSync(folder);
  mkdirSync(sibling);
  writeFileSync(`${sibling}/a.lock`, 'of somebody else');
  const untouched = (): void => {
    expect(readdirSync(sibling)).toEqual(['a.lock']);
    expect(readFileSync(`${sibling}/a.lock`, 'utf8')).toBe('of somebody else');
    expect(readdirSync(parent)).toHaveLength(2);
  };
  const file = within(folder, name);
  return { folder, sibling, file, text: file.toString(), untouched };
}

/** For a shell, since no string of Node can name these bytes. */
function inShell(bytes: Buffer): string {
  const octal = [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`);
  return `"$(printf '${octal.join('')}')"`;
}

/** Whether flock(1) is refused. */
function flockHolds(file: Buffer): boolean {
  try {
    execFileSync('sh', ['-c', `flock -n ${inShell(file)} true`], { stdio: 'pipe' });
    return false;
  } catch (error) {
    if ((error as { status?: number }).status !== 1) throw error;
    return true;
  }
}

/** flock(1) that holds until its input ends. */
async function holdWithFlock(file: Buffer): Promise<ChildProcess> {
  const script = `exec flock ${inShell(file)} sh -c 'echo held; cat'`;
  const child = spawn('sh', ['-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

describe('a path of bytes that are not UTF-8', () => {
  needs('flock')('is the same lock for flock(1), both ways', async () => {
    const { file, text, untouched } = place();
    for (const acquire of [
      () => FileLock.acquireSync(file),
      () => FileLock.acquire(file, { timeout: 0 }),
      () => FileLock.tryAcquire(file) as FileLock,
    ]) {
      const lock = await acquire();
      expect(lock.path).toBe(text);
      expect(flockHolds(file)).toBe(true);
      expect(lock.isCurrent()).toBe(true);
      lock.update({ url: 'x' });
      expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ url: 'x', pid: process.pid });
      lock.releaseSync();
      expect(flockHolds(file)).toBe(false);
    }
    const holder = await holdWithFlock(file);
    expect(FileLock.tryAcquire(file)).toBeNull();
    expect(await errorOf(() => FileLock.acquireSync(file))).toMatchObject({
      code: 'ERR_LOCK_HELD',
      path: text,
      holder: { self: false, verified: true },
    });
    expect((await inspect(file)).state).toBe('held');
    const waiting = withLock(file, { timeout: 10_000 }, (lock) => lock.held);
    holder.stdin?.end();
    expect(await waiting).toBe(true);
    untouched();
  });

  test('is text in statuses and errors', async () => {
    const { file, text, untouched } = place();
    const lock = await fileLocker().acquire(file);
    expect(await inspect(file)).toMatchObject({
      path: text,
      state: 'held',
      holders: [{ self: true }],
    });
    expect(await inspect(file, { probe: true })).toMatchObject({ path: text, state: 'held' });
    for await (const status of watchLock(file)) {
      expect(status).toMatchObject({ path: text, state: 'held' });
      break;
    }
    const waits = [
      () => FileLock.acquire(file, { timeout: 5 }),
      () => FileLock.acquire(file, { timeout: 5, pollInterval: 1 }),
    ];
    for (const call of waits) {
      expect(await errorOf(call)).toMatchObject({
        code: 'ERR_LOCK_TIMEOUT',
        path: text,
        message: expect.stringContaining(text),
      });
    }
    await lock.release();
    expect((await inspect(file)).state).toBe('free');
    untouched();
  });

  test('has its missing parents made, and its file removed', async () => {
    const { folder, untouched } = place();
    const deep = Buffer.concat([folder, Buffer.from('/b/'), CAFE, Buffer.from('/c.lock')]);
    const lock = await FileLock.acquire(deep, { keepFile: false });
    expect(existsSync(deep)).toBe(true);
    lock.releaseSync();
    expect(existsSync(deep)).toBe(false);
    expect(readdirSync(folder)).toEqual(['b']);
    untouched();
  });

  test('is stolen, and the loser learns who has it', async () => {
    // The longest name that there can be: the new file needs one as well.
    const { file, folder, untouched } = place(Buffer.alloc(255, 0xe9));
    const first = await InstanceLock.acquire(file, { data: { n: 1 } });
    const lost = once(first, 'lost');
    const second = await InstanceLock.acquire(file, { data: { n: 2 }, force: { how: 'steal' } });
    expect(first.isCurrent()).toBe(false);
    expect((await lost)[0]).toMatchObject({ pid: process.pid, data: { n: 2 } });
    await first.release();
    expect(second.isCurrent()).toBe(true);
    await second.release();
    expect(readdirSync(folder)).toEqual([]);
    untouched();
  });

  test('is adopted', async () => {
    const { file, untouched } = place();
    const lock = FileLock.acquireSync(file);
    const { reports } = await runScript(
      file.toString('hex'),
      `
      const file = Buffer.from(path, 'hex');
      const lock = FileLock.adopt(3, file);
      report([lock.mode, lock.isCurrent(), (await inspect(file)).record.pid === process.pid]);
      lock.releaseSync();
      `,
      { inherit: [lock.fd] },
    );
    expect(reports).toEqual([['exclusive', true, true]]);
    lock.detach();
    untouched();
  });

  test('is a path of lockers in memory', async () => {
    const { file, sibling } = place();
    const locker = memoryLocker();
    await using _lock = await locker.acquire(file);
    expect(await errorOf(() => locker.acquire(file, { timeout: 0 }))).toMatchObject({
      code: 'ERR_LOCK_HELD',
    });
    await using _other = await locker.acquire(`${sibling}/a.lock`, { timeout: 0 });
    expect(locker.crash(file)).toBe(true);
  });

  test('is refused as a file: URL, with the way to say it', async () => {
    const error = await errorOf(() => FileLock.acquire(new URL('file:///tmp/caf%E9/a.lock')));
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
    expect(String(error)).toContain('Buffer');
  });
});

test('a folder is looked through by the bytes of its names', async () => {
  const { folder, untouched } = place();
  const parent = Buffer.concat([folder, Buffer.from('/')]);
  const names = [Buffer.from('\xe9.lock', 'latin1'), Buffer.from('\ufffd.lock'), Buffer.from('z')];
  const files = names.map((name) => Buffer.concat([parent, name]));
  for (const file of files) writeFileSync(file, '');
  const locks = [
    FileLock.acquireSync(files[0] as Buffer),
    FileLock.acquireSync(files[2] as Buffer),
  ];
  const seen: LockStatus[] = [];
  for await (const status of inspectFolder(folder)) seen.push(status);
  const text = (name: string): string => `${folder.toString()}/${name}`;
  expect(seen.map(({ path, state }) => [path, state])).toEqual(
    [
      [text('z'), 'held'],
      [text('\ufffd.lock'), 'held'],
      [text('\ufffd.lock'), 'free'],
    ].sort(([one = ''], [other = '']) => (one < other ? -1 : 1)),
  );
  for (const lock of locks) lock.releaseSync();
  untouched();
});

describe('a relative path where the working directory is not UTF-8', () => {
  needs('flock')('stays in that directory', async () => {
    const { folder, file, text, untouched } = place();
    const script = `cd ${inShell(folder)} && exec "$@"`;
    const { reports, stderr } = await runScript(
      'a.lock',
      `
      const { execFileSync } = await import('node:child_process');
      const taken = () => {
        try {
          execFileSync('flock', ['-n', path, 'true']);
          return false;
        } catch {
          return true;
        }
      };
      const lock = FileLock.acquireSync(path);
      report([lock.path, taken(), (await inspect(path)).state]);
      process.chdir('/');
      report([lock.isCurrent()]);
      lock.releaseSync();
      `,
      { wrap: ['sh', '-c', script, 'sh'] },
    );
    expect(stderr).toBe('');
    expect(reports).toEqual([[text, true, 'held'], [true]]);
    expect(readFileSync(file, 'utf8')).toMatch(/^\{"holdfast":\{"token":\d+\}\}\n$/);
    untouched();
  });

  test('missing parents, a theft and a folder as well', async () => {
    const { folder, untouched } = place();
    const script = `cd ${inShell(folder)} && exec "$@"`;
    const { reports, stderr } = await runScript(
      'b/c/a.lock',
      `
      const { InstanceLock } = await import(new URL('instance.js', process.env.HOLDFAST_TEST_ENTRY));
      const first = await InstanceLock.acquire(path);
      first.on('lost', () => {});
      const second = await InstanceLock.acquire(path, { force: { how: 'steal' } });
      report([first.isCurrent(), second.isCurrent()]);
      for await (const { path, state } of holdfast.inspectFolder('b/c')) report([path, state]);
      second.releaseSync();
      first.releaseSync();
      report(fs.readdirSync('b/c'));
      `,
      { wrap: ['sh', '-c', script, 'sh'] },
    );
    expect(stderr).toBe('');
    expect(reports).toEqual([[false, true], [`${folder.toString()}/b/c/a.lock`, 'held'], []]);
    expect(readdirSync(folder)).toEqual(['b']);
    untouched();
  });
});
