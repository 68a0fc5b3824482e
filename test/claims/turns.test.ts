import { readdirSync, statSync, unlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Claim, Claims } from '../../src/claims.js';
import { until } from '../support/census.js';
import { ClaimsPeer, places } from '../support/claims-peer.js';
import { conflictOf, setUp } from '../support/claims-setting.js';
import { LONG, waiter, wantsIn } from '../support/claims-waiter.js';
import { limit } from '../support/limit.js';

describe('waiters are served in order', () => {
  test('five processes, one after the other', async () => {
    const { root, locks } = places();
    const peers = await ClaimsPeer.startMany(6, locks, root);
    const [holder, ...others] = peers as [ClaimsPeer, ...ClaimsPeer[]];
    await holder.claim({ agent: 'holder', files: ['x'] });
    const served: number[] = [];
    const turns: Promise<void>[] = [];
    for (const [at, peer] of others.entries()) {
      const agent = `agent-${at}`;
      const { granted } = await peer.waitFor({ agent, files: ['x'] });
      turns.push(
        granted.then(async () => {
          served.push(at);
          await peer.call('release', agent);
        }),
      );
    }
    await holder.call('release', 'holder');
    await Promise.all(turns);
    expect(served).toEqual([0, 1, 2, 3, 4]);
    expect(readdirSync(locks)).toEqual([]);
  });

  test('a wish for the whole tree before those who ask for one file again and again', async () => {
    const { claims, others } = setUp();
    const requests = Array.from({ length: 101 }, (_, at) => ({
      agent: `narrow-${at}`,
      files: [`src/${at}.ts`],
    }));
    const held = await claims.claimAll(requests);
    const wish = await waiter(others, 'wide', ['**']);
    const served: string[] = [];
    const wide = wish.granted.then((claim) => {
      served.push('wide');
      return claim.release();
    });
    for (const [at, request] of requests.entries()) {
      await held[at]?.release();
      // As soon as one is free, its agent asks for it again.
      if (at % 10 === 0) {
        const error = await conflictOf(claims.claim(request));
        expect(error.conflicts).toMatchObject([{ agents: [request.agent, 'wide'] }]);
      }
    }
    const again = requests.slice(0, 5).map(async (request) => {
      const claim = await claims.claim(request, { timeout: LONG });
      served.push(request.agent);
      return claim.release();
    });
    await Promise.all([wide, ...again]);
    expect(served[0]).toBe('wide');
    expect(served).toHaveLength(6);
  });

  test('a claim that only an older wish is in the way of is refused with its name', async () => {
    const { claims, others } = setUp();
    const held = await claims.claim({ agent: 'holder', files: ['x'] });
    const controller = new AbortController();
    const { signal } = controller;
    const { granted } = await waiter(others, 'waiter', ['x', 'y'], { signal });
    const error = await conflictOf(claims.claim({ agent: 'newcomer', files: ['y'] }));
    expect(error.conflicts).toMatchObject([
      {
        agents: ['newcomer', 'waiter'],
        witness: 'y',
        expiresAt: null,
        resolutions: expect.arrayContaining([
          { kind: 'sequential', agents: ['waiter', 'newcomer'], text: 'run newcomer after waiter' },
        ]),
      },
    ]);
    expect(error.circle).toEqual([]);
    // What it does not wish for is free.
    await (await claims.claim({ agent: 'newcomer', files: ['z'] })).release();
    controller.abort(new Error('enough'));
    await expect(granted).rejects.toThrow('enough');
    await (await claims.claim({ agent: 'newcomer', files: ['y'] })).release();
    await held.release();
  });

  test('an agent that the older wish waits for passes, also through others', async () => {
    const { claims, others } = setUp();
    // A holds p and wants q, which B holds; C wants p and r; B asks for r.
    const a = await claims.claim({ agent: 'A', files: ['p'] });
    const b = await claims.claim({ agent: 'B', files: ['q'] });
    const first = await waiter(others, 'A', ['p', 'q']);
    const second = await waiter(others, 'C', ['p', 'r']);
    const more = await claims.claim({ agent: 'B', files: ['q', 'r'] });
    expect(more.files).toEqual(['q', 'r']);
    await more.release();
    await (await first.granted).release();
    await (await second.granted).release();
    expect(await a.release()).toBe(false);
    expect(await b.release()).toBe(false);
  });

  test('two that claim several scopes each, in opposite order', async () => {
    const { claims, others, directory } = setUp();
    const held = await claims.claim({ agent: 'holder', files: ['x', 'y'] });
    const all = (owner: Claims, name: string, files: string[]): Promise<Claim[]> =>
      owner.claimAll(
        files.map((file) => ({ agent: `${name}-${file}`, files: [file] })),
        { timeout: LONG },
      );
    const one = all(claims, 'one', ['x', 'y']);
    await until(() => wantsIn(directory).length === 1);
    const other = all(others, 'other', ['y', 'x']);
    await until(() => wantsIn(directory).length === 2);
    await held.release();
    const first = await one;
    expect(first.map(({ agent }) => agent)).toEqual(['one-x', 'one-y']);
    for (const claim of first) await claim.release();
    for (const claim of await other) await claim.release();
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe('the place of a waiter', () => {
  test('is free as soon as its process is killed', async () => {
    const { root, locks } = places();
    const [holder, peer, next] = (await ClaimsPeer.startMany(3, locks, root)) as [
      ClaimsPeer,
      ClaimsPeer,
      ClaimsPeer,
    ];
    await holder.claim({ agent: 'holder', files: ['x'] });
    const killed = await peer.waitFor({ agent: 'killed', files: ['x', 'y'] });
    killed.granted.catch(() => {});
    const { granted } = await next.waitFor({ agent: 'next', files: ['y'] });
    const began = Date.now();
    await peer.kill();
    await granted;
    expect(Date.now() - began).toBeLessThan(limit(5000));
    expect(await holder.call('waits')).toEqual([]);
    // Whoever decides next removes what is left of it.
    await next.call('release', 'next');
    await holder.claim({ agent: 'holder', files: ['x'] });
    expect(wantsIn(locks)).toEqual([]);
  });

  test('stays while its process is stopped, but stops nobody after ten seconds', async () => {
    const { root, locks } = places();
    const [holder, peer, next] = (await ClaimsPeer.startMany(3, locks, root)) as [
      ClaimsPeer,
      ClaimsPeer,
      ClaimsPeer,
    ];
    await holder.claim({ agent: 'holder', files: ['x'] });
    const stopped = await peer.waitFor({ agent: 'stopped', files: ['x', 'y'] }, 60_000);
    const [want] = wantsIn(locks) as [string];
    // Not in the middle of a decision: once it has shown that it waits, it does
    // nothing for a second.
    const began = statSync(join(locks, want)).mtimeMs;
    await until(() => statSync(join(locks, want)).mtimeMs > began + 500);
    peer.process.kill('SIGSTOP');
    const request = { agent: 'next', files: ['y'] };
    await expect(next.claim(request)).rejects.toMatchObject({ code: 'ERR_CLAIM_CONFLICT' });
    // As if it had been for so long.
    const then = new Date(Date.now() - 10_500);
    utimesSync(join(locks, want), then, then);
    await next.claim(request);
    const { granted } = await next.waitFor({ agent: 'later', files: ['x'] });
    await next.call('release', 'next');
    // It goes on in its old place.
    peer.process.kill('SIGCONT');
    await until(async () => {
      const waits = await holder.call<{ blockedBy: string[] }[]>('waits');
      return waits[1]?.blockedBy.includes('stopped') === true;
    });
    await holder.call('release', 'holder');
    expect((await stopped.granted).agent).toBe('stopped');
    await peer.call('release', 'stopped');
    await granted;
  });

  test('is given up at the end of the time, and when the wait is aborted', async () => {
    const { claims, others, directory } = setUp();
    const held = await claims.claim({ agent: 'holder', files: ['x'] });
    const request = { agent: 'waiter', files: ['x'] };
    const error = await conflictOf(others.claim(request, { timeout: 200 }));
    expect(error.waited).toBeGreaterThanOrEqual(200);
    expect(error.waited).toBeLessThan(limit(2000));
    expect(wantsIn(directory)).toEqual([]);
    const controller = new AbortController();
    const { granted } = await waiter(others, 'waiter', ['x'], { signal: controller.signal });
    expect(wantsIn(directory)).toHaveLength(1);
    controller.abort(new Error('enough'));
    await expect(granted).rejects.toThrow('enough');
    expect(wantsIn(directory)).toEqual([]);
    await held.release();
  });

  test('is taken again if somebody removes its file', async () => {
    const { claims, others, directory } = setUp();
    const held = await claims.claim({ agent: 'holder', files: ['x'] });
    const { granted } = await waiter(others, 'waiter', ['x']);
    const [name] = wantsIn(directory) as [string];
    unlinkSync(join(directory, name));
    await until(() => wantsIn(directory).length === 1);
    await held.release();
    await (await granted).release();
    expect(wantsIn(directory)).toEqual([]);
  });
});

test('waits shows who waits for whom since when, and list shows who waits for a holder', async () => {
  const { claims, others } = setUp();
  const held = await claims.claim({ agent: 'holder', files: ['x'], taskDescription: 'Hold' });
  const before = Date.now();
  const pending = others.claimAll(
    [
      { agent: 'one', files: ['x'], taskDescription: 'Wait' },
      { agent: 'two', directories: ['lib'] },
    ],
    { timeout: LONG },
  );
  await until(async () => (await claims.waits()).length === 1);
  const next = await waiter(others, 'three', ['lib/a.ts']);
  const waits = await claims.waits();
  expect(waits).toMatchObject([
    {
      agents: ['one', 'two'],
      files: ['x'],
      directories: ['lib/'],
      task: 'Wait',
      blockedBy: ['holder'],
    },
    {
      agents: ['three'],
      files: ['lib/a.ts'],
      directories: [],
      task: null,
      blockedBy: ['one', 'two'],
    },
  ]);
  expect(waits[0]?.since.getTime()).toBeGreaterThanOrEqual(before);
  expect(await claims.list()).toMatchObject([{ agent: 'holder', waiters: ['one', 'two'] }]);
  await held.release();
  for (const claim of await pending) await claim.release();
  await (await next.granted).release();
  expect(await claims.waits()).toEqual([]);
});
