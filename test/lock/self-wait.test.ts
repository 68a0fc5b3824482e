import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { FileLock, withLock } from '../../src/index.js';
import { withNextId } from '../../src/next-id.js';
import { until } from '../support/census.js';
import { lockPath, testFolder } from '../support/folder.js';
import { waitsFor } from '../support/kernel.js';
import { runScript } from '../support/script.js';
import { expectWarning } from '../support/setup.js';

expectWarning('HOLDFAST_WAITS_FOR_ITSELF');

interface Warning extends Error {
  code?: string;
  detail?: string;
}

const warned = async (): Promise<Warning> => (await once(process, 'warning'))[0] as Warning;

/** No warning comes while `body` waits for longer than the second before one. */
async function silent(body: () => Promise<unknown>): Promise<void> {
  const seen: unknown[] = [];
  const listener = (warning: unknown): void => void seen.push(warning);
  process.on('warning', listener);
  await body();
  await new Promise(setImmediate);
  process.off('warning', listener);
  expect(seen).toEqual([]);
}

// Shows that nothing happens: longer than the second after which a warning comes.
const LATE = { timeout: 1300 };

describe('code that waits for a lock that is held around it', () => {
  const ways: [string, (path: string, signal: AbortSignal) => Promise<unknown>][] = [
    ['withLock', (path, signal) => withLock(path, { signal }, () => {})],
    ['FileLock.acquire', (path, signal) => FileLock.acquire(path, { signal })],
    ['a polling one', (path, signal) => FileLock.acquire(path, { signal, pollInterval: 20 })],
  ];

  test.each(ways)('is warned of after a second: %s', async (_, acquire) => {
    const path = lockPath();
    const controller = new AbortController();
    const reason = new Error('enough');
    async function theOuterOne(): Promise<void> {
      await withLock(path, async () => {
        await new Promise(setImmediate);
        await withLock(lockPath(), () => acquire(path, controller.signal));
      });
    }
    const began = performance.now();
    const warning = warned();
    const ended = expect(theOuterOne()).rejects.toBe(reason);
    const { name, code, message, detail } = await warning;
    expect(performance.now() - began).toBeGreaterThanOrEqual(1000);
    expect({ name, code }).toEqual({
      name: 'HoldfastWarning',
      code: 'HOLDFAST_WAITS_FOR_ITSELF',
    });
    expect(message).toContain(path);
    expect(detail).toMatch(/theOuterOne .*self-wait\.test\.ts/);
    controller.abort(reason);
    await ended;
  });

  test('is distinguished from code that waits in turn', async () => {
    const path = lockPath();
    const hold = (): Promise<void> =>
      withLock(path, () => new Promise((resolve) => setTimeout(resolve, LATE.timeout)));
    await silent(() => Promise.all([hold(), hold()]));
  });

  test('is distinguished from code that only began inside', async () => {
    const path = lockPath();
    await silent(async () => {
      let after: Promise<unknown> | undefined;
      await withLock(path, () => {
        after = new Promise(setImmediate).then(async () => {
          using _other = FileLock.acquireSync(path, { timeout: 5000 });
          await expect(FileLock.acquire(path, LATE)).rejects.toMatchObject({
            code: 'ERR_LOCK_TIMEOUT',
          });
        });
      });
      await after;
    });
  });

  test('is distinguished from code that now waits for another', async () => {
    const path = lockPath();
    await silent(async () => {
      let next: Promise<FileLock> | undefined;
      let inner: Promise<unknown> | undefined;
      const outside = FileLock.acquireSync(path);
      const outer = withLock(path, async () => {
        await new Promise<void>((resolve) => {
          next = FileLock.acquire(path, { onWait: () => resolve() });
        });
        // In the kernel's queue, one after the other: a thread that comes to it
        // as the lock is released may take it before one that has waited.
        await until(() => waitsFor(path) === 1);
        inner = FileLock.acquire(path, LATE);
        await until(() => waitsFor(path) === 2);
      });
      outside.releaseSync();
      await outer;
      using _next = await next;
      await expect(inner).rejects.toMatchObject({ code: 'ERR_LOCK_TIMEOUT' });
    });
  });

  test('is nothing but a warning where the outer one ends', async () => {
    const path = lockPath();
    const warning = warned();
    let inner: Promise<string> | undefined;
    await withLock(path, async () => {
      inner = withLock(path, () => 'done');
      await warning;
    });
    expect(await inner).toBe('done');
  });

  test('leaves no timer', async () => {
    const { reports, code, stderr } = await runScript(
      lockPath(),
      `
      const handles = () => process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length;
      await holdfast.withLock(path, async () => {
        await outcome(() => FileLock.acquire(path, { timeout: 10 }));
        report(handles());
      });
      `,
    );
    expect({ reports, code, stderr }).toEqual({ reports: [0], code: 0, stderr: '' });
  });
});

test('withNextId inside of withNextId on one folder is warned of as well', async () => {
  const folder = testFolder();
  const controller = new AbortController();
  const reason = new Error('enough');
  const warning = warned();
  const { signal } = controller;
  const ended = expect(
    withNextId(folder, () => withNextId(folder, { signal }, () => {})),
  ).rejects.toBe(reason);
  expect(await warning).toMatchObject({ code: 'HOLDFAST_WAITS_FOR_ITSELF' });
  controller.abort(reason);
  await ended;
});
