import {
  closeSync,
  existsSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { InstanceLock, type InstanceLockOptions } from '../../src/instance.js';
import { descriptorsTo } from '../support/census.js';
import { lockPath } from '../support/folder.js';
import { runningInstance } from '../support/instance.js';
import { limit } from '../support/limit.js';
import { Program } from '../support/program.js';
import { errorOf } from '../support/refused.js';

const FORCES = [{}, { force: { how: 'steal' } }, { force: { how: 'terminate' } }] as const;

/** In every way to acquire: the error, no descriptor, no listener. */
async function refused(path: string, error: object): Promise<void> {
  const calls = [
    ...FORCES.map((options) => () => InstanceLock.acquire(path, options as InstanceLockOptions)),
    () => InstanceLock.acquire(path, { timeout: 50 }),
    () => InstanceLock.acquire(path, { record: 'pid', keepFile: true }),
    () => InstanceLock.acquireSync(path),
  ];
  const before = descriptorsTo(path);
  for (const call of calls) {
    expect(await errorOf(call)).toMatchObject({ path, ...error });
    expect(descriptorsTo(path)).toBe(before);
    expect(process.listenerCount('SIGTERM')).toBe(0);
  }
}

describe('at the path is', () => {
  const foreign: [title: string, content: string | Buffer][] = [
    ["somebody's data", '{"name":"my-package","version":"1.0.0"}\n'],
    ['text', 'garbage, not a record\n'],
    ['binary', Buffer.from([0, 255, 254, 0, 1, 2, 128, 200])],
    ['a record with a tail', '{"pid":1,"holdfast":{"token":5}}\nand more\n'],
    ['a record with fields after the last one', '{"holdfast":{"token":5},"pid":1}\nx'],
  ];

  test.each(foreign)('%s: refused, and not touched', async (_, content) => {
    const path = lockPath();
    writeFileSync(path, content);
    const { ino, mtimeMs } = statSync(path);
    await refused(path, { code: 'ERR_LOCK_STATE' });
    expect(readFileSync(path)).toEqual(Buffer.from(content));
    expect(statSync(path)).toMatchObject({ ino, mtimeMs });
    FileLock.acquireSync(path, { record: false }).releaseSync();
  });

  test("somebody's data that is locked: refused with who has it, and not touched", async () => {
    const path = lockPath();
    writeFileSync(path, 'precious');
    using _lock = FileLock.acquireSync(path);
    expect(await errorOf(() => InstanceLock.acquire(path))).toMatchObject({ pid: process.pid });
    const force = { how: 'steal' } as const;
    expect(await errorOf(() => InstanceLock.acquire(path, { force }))).toMatchObject({
      code: 'ERR_LOCK_STATE',
    });
    expect(readFileSync(path, 'utf8')).toBe('precious');
    expect(readdirSync(dirname(path))).toEqual(['test.lock']);
  });

  test('1 GB: refused at once, and not read', async () => {
    const path = lockPath();
    const fd = openSync(path, 'w');
    ftruncateSync(fd, 2 ** 30);
    closeSync(fd);
    const began = performance.now();
    const { rss } = process.memoryUsage();
    await refused(path, { code: 'ERR_LOCK_STATE' });
    expect(performance.now() - began).toBeLessThan(limit(2000));
    expect(process.memoryUsage().rss - rss).toBeLessThan(64 * 2 ** 20);
    expect(statSync(path).size).toBe(2 ** 30);
  });

  test.each([
    ['nothing', ''],
    ['a bare pid', '1\n'],
    ['a pid that is nobody’s', '2147483646'],
    ['a released record', '{"holdfast":{"token":5}}\n'],
  ])('%s: taken', async (_, content) => {
    const path = lockPath();
    writeFileSync(path, content);
    const lock = await InstanceLock.acquire(path);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pid: process.pid });
    await lock.release();
    expect(existsSync(path)).toBe(false);
  });

  test('a directory: refused, and it stays', async () => {
    const path = lockPath();
    mkdirSync(path);
    await refused(path, { code: 'ERR_LOCK_STATE' });
    writeFileSync(join(path, 'file'), '');
    await refused(path, { code: 'ERR_LOCK_STATE' });
    expect(readdirSync(path)).toEqual(['file']);
  });

  test('a FIFO: refused without a hang, and it stays', async () => {
    const path = lockPath();
    await Program.start('mkfifo', [path]).exited;
    await refused(path, { code: 'ERR_LOCK_UNSUPPORTED' });
    expect(lstatSync(path).isFIFO()).toBe(true);
  });

  test('a device: refused, and it stays', async () => {
    await refused('/dev/null', { code: 'ERR_LOCK_UNSUPPORTED' });
    expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true);
  });

  test('a symlink: refused, neither it nor its target is touched', async () => {
    const path = lockPath();
    for (const target of [`${path}.target`, `${path}.missing`]) {
      if (target.endsWith('target')) writeFileSync(target, '');
      const link = `${target}.link`;
      symlinkSync(target, link);
      await refused(link, { code: 'ELOOP' });
      expect(lstatSync(link).isSymbolicLink()).toBe(true);
    }
    expect(readFileSync(`${path}.target`, 'utf8')).toBe('');
    expect(existsSync(`${path}.missing`)).toBe(false);
  });

  test('a folder that is a file: a system error', async () => {
    const path = lockPath();
    writeFileSync(path, '');
    const error = await errorOf(() => InstanceLock.acquire(join(path, 'x.lock')));
    expect((error as { code: string }).code).toMatch(/^(ENOTDIR|EEXIST)$/);
  });
});

test('the clock was set back: the token still grows, and the second one learns since when', async () => {
  const path = lockPath();
  const dead = await runningInstance(path);
  await dead.kill();
  const token = (Date.now() + 86_400_000) * 1000;
  const text = readFileSync(path, 'utf8')
    .replace(/"token":\d+/, `"token":${token}`)
    .replace(/"startedAt":"\d+/, '"startedAt":"2099');
  writeFileSync(path, text);
  using lock = await InstanceLock.acquire(path);
  expect(lock.token).toBe(token + 1);
  expect(lock.previous?.since?.getUTCFullYear()).toBe(2099);
  expect(await errorOf(() => InstanceLock.acquire(path))).toMatchObject({ pid: process.pid });
});
