import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, test, vi } from 'vitest';
import { FileLock, withLock } from '../../src/index.js';
import { updateFile, updateJson } from '../../src/update.js';
import { errorOf } from '../support/refused.js';
import { runScript } from '../support/script.js';
import { expectWarning } from '../support/setup.js';
import { litterIn, targetFile, UPDATE } from '../support/update.js';

const text = (path: string): string => readFileSync(path, 'utf8');
const fn = (): string => 'new';

describe('a lock that somebody holds', () => {
  test('is waited for, after one word to onWait', async () => {
    const path = targetFile('old');
    const lock = await FileLock.acquire(`${path}.lock`);
    const pids: unknown[] = [];
    const updated = updateFile(
      path,
      {
        onWait: (holder) => {
          pids.push(holder?.pid);
          writeFileSync(path, 'by the holder');
          lock.releaseSync();
        },
      },
      (old) => `${old}, and on`,
    );
    expect(await updated).toBe('by the holder, and on');
    expect(pids).toEqual([process.pid]);
  });

  test('refuses at once with timeout 0, else when the time is up; fn is not called', async () => {
    const path = targetFile('old');
    using _lock = FileLock.acquireSync(`${path}.lock`);
    const never = vi.fn(fn);
    const holder = { self: true };
    for (const [timeout, code] of [
      [0, 'ERR_LOCK_HELD'],
      [20, 'ERR_LOCK_TIMEOUT'],
    ] as const) {
      const error = await errorOf(() => updateFile(path, { timeout }, never));
      expect(error).toMatchObject({ code, path: `${path}.lock`, holder });
    }
    expect(never).not.toHaveBeenCalled();
  });

  test('an abort ends the wait with the reason', async () => {
    const path = targetFile('old');
    using _lock = FileLock.acquireSync(`${path}.lock`);
    const controller = new AbortController();
    const reason = new Error('enough');
    const onWait = (): void => controller.abort(reason);
    const { signal } = controller;
    expect(await errorOf(() => updateFile(path, { signal, onWait }, fn))).toBe(reason);
    expect(await errorOf(() => updateFile(path, { signal }, fn))).toBe(reason);
  });

  test('by the update around it, is waited for with a warning', async () => {
    expectWarning('HOLDFAST_WAITS_FOR_ITSELF');
    const path = targetFile('old');
    const warned = new Promise<Error & { code?: string }>((resolve) => {
      process.once('warning', resolve);
    });
    const inner = new AbortController();
    await updateFile(path, async () => {
      const waits = updateFile(path, { signal: inner.signal }, fn);
      expect((await warned).code).toBe('HOLDFAST_WAITS_FOR_ITSELF');
      inner.abort();
      await waits.catch(() => {});
      return undefined;
    });
    expect(text(path)).toBe('old');
  });
});

describe('while fn runs', () => {
  test('an abort reaches it, and nothing is written even if it returns', async () => {
    const path = targetFile('old');
    const controller = new AbortController();
    const reason = new Error('enough');
    const { signal } = controller;
    let seen: unknown;
    const error = await errorOf(() =>
      updateFile(path, { signal }, (_old, context) => {
        context.signal.addEventListener('abort', () => {
          seen = context.signal.reason;
        });
        controller.abort(reason);
        return 'new';
      }),
    );
    expect(error).toBe(reason);
    expect(seen).toBe(reason);
    expect(text(path)).toBe('old');
    expect(litterIn(dirname(path))).toEqual([]);
  });

  test.each([
    ['removed', (lock: string) => rmSync(lock)],
    ['replaced', (lock: string) => renameSync(targetFile(''), lock)],
  ] as const)(
    'a lock file that is %s means ERR_LOCK_LOST, and nothing is written',
    async (_, lose) => {
      const path = targetFile('old');
      const heard = vi.fn();
      const error = await errorOf(() =>
        updateFile(path, async (_old, { signal }) => {
          lose(`${path}.lock`);
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
          heard((signal.reason as { code?: string }).code);
          return 'new';
        }),
      );
      expect(error).toMatchObject({ code: 'ERR_LOCK_LOST', path: `${path}.lock` });
      expect(error).not.toHaveProperty('result');
      expect(heard).toHaveBeenCalledWith('ERR_LOCK_LOST');
      expect(text(path)).toBe('old');
      expect(litterIn(dirname(path))).toEqual([]);
      expect(await updateFile(path, fn)).toBe('new');
    },
  );

  test('without a look at the signal it is found as well', async () => {
    const path = targetFile('{}');
    const error = await errorOf(() =>
      updateJson(path, () => {
        rmSync(`${path}.lock`);
        return 1;
      }),
    );
    expect(error).toMatchObject({ code: 'ERR_LOCK_LOST' });
    expect(text(path)).toBe('{}');
  });

  test('a program that waits has its turn afterwards', async () => {
    const path = targetFile('1');
    let next: Promise<string> | undefined;
    await updateFile(path, () => {
      next = withLock(`${path}.lock`, () => text(path));
      return '2';
    });
    expect(await next).toBe('2');
  });
});

describe('an end in the middle', () => {
  test('by process.exit() in fn leaves the old content and a free lock', async () => {
    const path = targetFile('old');
    const script = `${UPDATE} await updateFile(path, () => process.exit(3));`;
    expect(await runScript(path, script)).toMatchObject({ code: 3, stderr: '' });
    expect(await updateFile(path, { timeout: 0 }, (old) => `${old}+`)).toBe('old+');
  });

  test('by worker.terminate() as well, while it waits and while fn runs', async () => {
    const path = targetFile('old');
    const source = `
      const { updateFile } = await import(process.env.UPDATE);
      const { parentPort, workerData } = await import('node:worker_threads');
      await updateFile(workerData, () => {
        parentPort.postMessage('in fn');
        return new Promise(() => {});
      });`;
    const env = { UPDATE: new URL('../../dist/update.js', import.meta.url).href };
    const start = (): Worker =>
      new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
        workerData: path,
        env,
      });
    const first = start();
    await once(first, 'message');
    const second = start();
    await once(second, 'online');
    await second.terminate();
    await first.terminate();
    expect(await updateFile(path, { timeout: 10_000 }, (old) => `${old}+`)).toBe('old+');
    expect(readdirSync(dirname(path)).sort()).toEqual(['settings.json', 'settings.json.lock']);
  });
});

describe('a folder in place of the lock file', () => {
  test('is ERR_LOCK_STATE: proper-lockfile has such locks', async () => {
    const path = targetFile('old');
    mkdirSync(`${path}.lock`);
    for (const options of [{}, { lockPath: `${path}.lock` }]) {
      const error = await errorOf(() => updateFile(path, options, fn));
      expect(error).toMatchObject({ code: 'ERR_LOCK_STATE', path: `${path}.lock` });
      expect((error as Error).message).toContain('proper-lockfile');
    }
    expect(text(path)).toBe('old');
    expect(readdirSync(`${path}.lock`)).toEqual([]);
    expect(await updateFile(path, { lockPath: `${path}.flock` }, fn)).toBe('new');
  });
});
