import { once } from 'node:events';
import { expect, test } from 'vitest';
import { Slots, withSlot } from '../../src/slots.js';
import { testFolder } from '../support/folder.js';
import { errorOf } from '../support/refused.js';
import { expectWarning } from '../support/setup.js';

expectWarning('HOLDFAST_WAITS_FOR_ITSELF');

// Longer than the second after which a warning comes.
const LATE = 1300;

test('code that has all slots around it and waits for one is warned of', async () => {
  const folder = testFolder();
  const reason = new Error('enough');
  const controller = new AbortController();
  const { signal } = controller;
  async function theOuterOne(): Promise<unknown> {
    return withSlot(folder, { slots: 2 }, () =>
      withSlot(folder, { slots: 2 }, () => withSlot(folder, { slots: 2, signal }, () => {})),
    );
  }
  const began = performance.now();
  const warning = once(process, 'warning');
  const ended = errorOf(theOuterOne);
  const [{ code, message }] = (await warning) as [{ code: string; message: string }];
  expect(performance.now() - began).toBeGreaterThanOrEqual(1000);
  expect(code).toBe('HOLDFAST_WAITS_FOR_ITSELF');
  expect(message).toContain(folder);
  controller.abort(reason);
  expect(await ended).toBe(reason);
});

test('code that has one of them waits for the others, without a warning', async () => {
  const folder = testFolder();
  const seen: unknown[] = [];
  const listener = (warning: unknown): void => void seen.push(warning);
  process.on('warning', listener);
  await using _other = await new Slots(folder, { slots: 2 }).acquire();
  await withSlot(folder, { slots: 2 }, async () => {
    const error = await errorOf(() => withSlot(folder, { slots: 2, timeout: LATE }, () => {}));
    expect(error).toMatchObject({ code: 'ERR_LOCK_TIMEOUT' });
  });
  process.off('warning', listener);
  expect(seen).toEqual([]);
});
