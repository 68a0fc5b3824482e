import { describe, expect, test } from 'vitest';
import type { ClaimStatus } from '../../src/claims.js';
import { a, setUp, time } from '../support/claims-setting.js';
import { errorOf } from '../support/refused.js';

describe('watch', () => {
  test('yields at once, then after each change, and ends with the reason of its signal', async () => {
    const { claims, others, put, names } = setUp();
    const controller = new AbortController();
    const reason = new Error('enough');
    const watched = claims.watch({ signal: controller.signal });
    const next = async (): Promise<string[]> => {
      const { value } = await watched.next();
      return (value as ClaimStatus[]).map(({ agent, state }) => `${agent} ${state}`);
    };
    expect(await next()).toEqual([]);
    const claim = await others.claim(a);
    expect(await next()).toEqual(['a active']);
    put('b', { files: a.files });
    await expect.poll(next, { timeout: 10_000 }).toEqual(['a conflicting', 'b conflicting']);
    await claim.release();
    expect(await next()).toEqual(['b active']);
    expect(await others.release('b')).toBe(true);
    expect(await next()).toEqual([]);
    const last = watched.next();
    controller.abort(reason);
    expect(await errorOf(() => last)).toBe(reason);
    expect(await watched.next()).toEqual({ done: true, value: undefined });
    expect(names()).toEqual([]);
  });

  test('tells of a claim that expires, though nothing is written', async () => {
    const { claims, put } = setUp();
    put('old', { expires_at: time(0) });
    const states: string[] = [];
    for await (const statuses of claims.watch()) {
      states.push(...statuses.map(({ state }) => state));
      if (states.includes('expired')) break;
    }
    expect(states).toEqual(['active', 'expired']);
  });

  test('with a signal that is aborted already yields nothing', async () => {
    const { claims } = setUp();
    const reason = new Error('enough');
    const watched = claims.watch({ signal: AbortSignal.abort(reason) });
    expect(await errorOf(() => watched.next())).toBe(reason);
  });
});
