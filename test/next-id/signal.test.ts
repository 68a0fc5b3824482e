import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fileLocker, type Locker } from '../../src/index.js';
import { withNextId } from '../../src/next-id.js';
import { memoryLocker } from '../../src/testing.js';
import { testFolder } from '../support/folder.js';
import { creating, gate, LOCK, next, nothing } from '../support/next-id.js';
import { errorOf } from '../support/refused.js';
import { isFree } from '../support/several.js';

describe('a signal', () => {
  const reason = { why: 'any value' };

  test('aborted before: its reason, unchanged, and nothing is created', async () => {
    const folder = join(testFolder(), 'inner');
    const signal = AbortSignal.abort(reason);
    expect(await errorOf(() => next(folder, { signal }))).toBe(reason);
    expect(existsSync(folder)).toBe(false);
  });

  test.each<[string, () => Locker]>([
    ['with files', () => fileLocker()],
    ['in memory', () => memoryLocker()],
  ])('aborted while it waits: its reason, and no id is burnt (%s)', async (_, make) => {
    const folder = testFolder();
    const inner = make();
    const waiting = gate();
    const locker: Locker = {
      acquire: (path, options) =>
        inner.acquire(path, { ...options, onWait: () => waiting.open() } as typeof options),
    };
    const { finish, done } = await creating(folder, { locker: inner });
    const controller = new AbortController();
    const second = next(folder, { locker, signal: controller.signal });
    await waiting.opened;
    controller.abort(reason);
    expect(await errorOf(() => second)).toBe(reason);
    finish();
    await done;
    expect(await next(folder, { locker: inner })).toBe(2);
  });

  test('aborted while scan runs: create is not called', async () => {
    const folder = testFolder();
    const controller = new AbortController();
    let created = false;
    const scan = (): number[] => {
      controller.abort(reason);
      return [];
    };
    const call = withNextId(folder, { scan, signal: controller.signal }, () => {
      created = true;
    });
    expect(await errorOf(() => call)).toBe(reason);
    expect(created).toBe(false);
    expect(isFree(join(folder, LOCK))).toBe(true);
  });

  test('is handed on to create, which decides', async () => {
    const folder = testFolder();
    const controller = new AbortController();
    const { signal } = controller;
    const result = await withNextId(folder, { signal }, (_, context) => {
      expect(context.signal.aborted).toBe(false);
      controller.abort(reason);
      expect(context.signal).toMatchObject({ aborted: true, reason });
      return 'finished all the same';
    });
    expect(result).toMatchObject({ id: 1, value: 'finished all the same' });
  });

  test('without one, create has one that is not aborted', async () => {
    const { value } = await withNextId(testFolder(), (_, { signal }) => signal);
    expect(value).toBeInstanceOf(AbortSignal);
    expect(value.aborted).toBe(false);
  });

  test('of a polyfill without throwIfAborted serves as well', async () => {
    const signal = {
      aborted: false,
      reason: undefined,
      addEventListener: nothing,
      removeEventListener: nothing,
    } as unknown as AbortSignal;
    expect(await next(testFolder(), { signal })).toBe(1);
  });
});
