import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Claims, type ClaimsBusyError } from '../../src/claims.js';
import { FileLock } from '../../src/index.js';
import { ClaimsPeer, places } from '../support/claims-peer.js';
import { setUp } from '../support/claims-setting.js';
import { limit } from '../support/limit.js';
import { errorOf } from '../support/refused.js';
import { inTwoSizes } from '../support/sizes.js';

inTwoSizes(
  (count) => `${count} claims at once in one process are all granted`,
  { short: 300, long: 1000 },
  async (count) => {
    const { claims, names } = setUp();
    const outcomes = await Promise.allSettled(
      Array.from({ length: count }, (_, at) =>
        claims.claim({ agent: `a-${at}`, files: [`f/${at}`] }),
      ),
    );
    const reasons = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
    expect(reasons).toEqual([]);
    expect(names()).toHaveLength(count);
    await claims.releaseAll();
  },
);

inTwoSizes(
  ({ processes, each }) => `${processes} processes with ${each} claims each, at once, get them all`,
  { short: { processes: 4, each: 10 }, long: { processes: 10, each: 50 } },
  async ({ processes, each }) => {
    const { root, locks } = places();
    const peers = await ClaimsPeer.startMany(processes, locks, root);
    const failed = await Promise.all(
      peers.map((peer, at) => peer.call<string[]>('crowd', `p${at}`, each)),
    );
    expect(failed.flat()).toEqual([]);
    expect(readdirSync(locks)).toHaveLength(processes * each);
  },
);

test('a call that is aborted while others are in front leaves its place', async () => {
  const { claims, names } = setUp();
  const controller = new AbortController();
  const calls = ['a', 'b', 'c'].map((agent) =>
    claims.claim({ agent, files: [agent] }, agent === 'b' ? { signal: controller.signal } : {}),
  );
  controller.abort(new Error('enough'));
  const outcomes = await Promise.allSettled(calls);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(outcomes[1]).toMatchObject({ reason: { message: 'enough' } });
  expect(names()).toEqual(['a.lock', 'c.lock']);
});

test('who is stopped in the middle of a decision is named after ten seconds, to all who wait', {
  timeout: 40_000,
}, async () => {
  const { root, locks } = places();
  const peer = await ClaimsPeer.start(locks, root);
  await peer.claim({ agent: 'a', files: ['x'] });
  // As if it were in the section: it has the lock of the folder itself.
  await peer.call('enterAndStop');
  const claims = new Claims(locks, { root });
  const began = performance.now();
  const errors = (await Promise.all(
    Array.from({ length: 20 }, (_, at) =>
      errorOf(() => claims.claim({ agent: `b-${at}`, files: [`${at}`] })),
    ),
  )) as ClaimsBusyError[];
  const took = performance.now() - began;
  expect(took).toBeGreaterThan(9_900);
  expect(took).toBeLessThan(limit(13_000));
  for (const error of errors) {
    expect(error).toMatchObject({
      name: 'ClaimsBusyError',
      code: 'ERR_LOCK_TIMEOUT',
      path: locks,
      holder: { pid: peer.pid },
    });
  }
  expect(errors.map(({ inFront }) => inFront)).toEqual(errors.map((_, at) => at));
  await peer.kill();
  await (await claims.claim({ agent: 'c', files: ['c'] })).release();
});

test('as long as those in front move on, a wait may take longer than ten seconds', {
  tags: ['long'],
  timeout: 60_000,
}, async () => {
  const { directory, claims } = setUp();
  const { writeFileSync } = await import('node:fs');
  // Somebody is inside all the time, and claims come and go.
  const lock = await FileLock.acquire(directory, { record: false });
  let count = 0;
  const moving = setInterval(() => {
    count++;
    writeFileSync(join(directory, `x-${count}`), '');
  }, 500);
  const wait = claims.claim({ agent: 'a', files: ['x'] });
  let ended = false;
  void wait.finally(() => {
    ended = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 13_000));
  expect(ended).toBe(false);
  clearInterval(moving);
  await lock.release();
  await (await wait).release();
});
