import { unlinkSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { ClaimRequest, Conflict } from '../../src/claims.js';
import { a, b, conflictOf, setUp, time } from '../support/claims-setting.js';
import { limit } from '../support/limit.js';
import { errorOf } from '../support/refused.js';
import { expectWarning } from '../support/setup.js';

expectWarning('HOLDFAST_CLAIM_EXPIRED');

describe('waiting', () => {
  const wanted: ClaimRequest = { agent: 'waiter', files: ['src/a.ts'] };

  test('ends when the other releases, and onWait was called once', async () => {
    const { claims, others } = setUp();
    const first = await others.claim(a);
    const told: Conflict[][] = [];
    let waiting = (): void => {};
    const began = new Promise<void>((resolve) => {
      waiting = resolve;
    });
    const pending = claims.claim(wanted, {
      timeout: 20_000,
      onWait: (conflicts) => {
        told.push(conflicts);
        waiting();
      },
    });
    await began;
    // Not what it waits for.
    const other = await others.claim(b);
    await other.release();
    expect(await first.release()).toBe(true);
    const claim = await pending;
    expect(told).toMatchObject([[{ agents: ['waiter', 'a'], witness: 'src/a.ts' }]]);
    await claim.release();
  });

  test('ends when the file is removed manually', async () => {
    const { claims, put } = setUp();
    const path = put('hand', { files: ['src/a.ts'] });
    const claim = await claims.claim(wanted, { timeout: 20_000, onWait: () => unlinkSync(path) });
    await claim.release();
  });

  test('ends when the other claims something else', async () => {
    const { claims, others } = setUp();
    await others.claim(a);
    let moved: Promise<unknown> | undefined;
    const claim = await claims.claim(wanted, {
      timeout: 20_000,
      onWait: () => {
        moved = others.claim({ ...a, files: ['elsewhere'] });
      },
    });
    await moved;
    expect((await claims.list()).map(({ agent }) => agent)).toEqual(['a', 'waiter']);
    await claim.release();
    await claims.releaseAll();
  });

  test('ends when the other expires, two seconds after its time', async () => {
    const { claims, put, names } = setUp();
    const expiresAt = time(0);
    put('old', { files: ['src/a.ts'], expires_at: expiresAt });
    let waited = false;
    const claim = await claims.claim(wanted, {
      timeout: 20_000,
      onWait: () => {
        waited = true;
      },
    });
    expect(waited).toBe(true);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(expiresAt) + 2000);
    expect(Date.now()).toBeLessThan(Date.parse(expiresAt) + limit(8000));
    expect(names()).toEqual(['waiter.lock']);
    await claim.release();
  });

  test('ends after the timeout, with the conflicts and how long it was', async () => {
    const { claims, names } = setUp();
    const held = await claims.claim(a);
    let calls = 0;
    const error = await conflictOf(
      claims.claim(wanted, {
        timeout: 300,
        onWait: () => {
          calls++;
        },
      }),
    );
    expect(error).toMatchObject({
      code: 'ERR_CLAIM_CONFLICT',
      conflicts: [{ agents: ['waiter', 'a'] }],
    });
    expect(error.waited).toBeGreaterThanOrEqual(300);
    expect(error.waited).toBeLessThan(limit(5000));
    expect(calls).toBe(1);
    expect(names()).toEqual(['a.lock']);
    await held.release();
  });

  test('without a timeout does not happen', async () => {
    const { claims } = setUp();
    const held = await claims.claim(a);
    for (const options of [{}, { timeout: 0 }]) {
      let calls = 0;
      const onWait = (): void => {
        calls++;
      };
      const { waited } = await conflictOf(claims.claim(wanted, { ...options, onWait }));
      expect(waited).toBeLessThan(limit(1000));
      expect(calls).toBe(0);
    }
    await held.release();
  });

  test('ends with the reason of the signal, and nothing is claimed', async () => {
    const { claims, names } = setUp();
    const held = await claims.claim(a);
    const controller = new AbortController();
    const reason = new Error('enough');
    const error = await errorOf(() =>
      claims.claim(wanted, {
        timeout: Number.POSITIVE_INFINITY,
        signal: controller.signal,
        onWait: () => controller.abort(reason),
      }),
    );
    expect(error).toBe(reason);
    expect(await held.release()).toBe(true);
    expect(names()).toEqual([]);
  });

  test('ends with what onWait throws', async () => {
    const { claims } = setUp();
    const held = await claims.claim(a);
    const thrown = new Error('no');
    const error = await errorOf(() =>
      claims.claim(wanted, {
        timeout: 20_000,
        onWait: () => {
          throw thrown;
        },
      }),
    );
    expect(error).toBe(thrown);
    await held.release();
  });

  test('of claimAll is for all, and takes none before', async () => {
    const { claims, others, names } = setUp();
    const first = await others.claim(a);
    let seen: string[] = [];
    let waiting = (): void => {};
    const began = new Promise<void>((resolve) => {
      waiting = resolve;
    });
    const pending = claims.claimAll([wanted, b], {
      timeout: 20_000,
      onWait: () => {
        seen = names();
        waiting();
      },
    });
    await began;
    await first.release();
    expect((await pending).map(({ agent }) => agent)).toEqual(['waiter', 'b']);
    expect(seen).toEqual([expect.stringMatching(/^1-[0-9a-f]{16}\.want$/), 'a.lock']);
    await claims.releaseAll();
  });

  test('of many gives it to one after the other', async () => {
    const { claims, others } = setUp();
    let inside = 0;
    const work = async (at: number): Promise<void> => {
      const one = at % 2 === 0 ? claims : others;
      const claim = await one.claim({ agent: `agent-${at}`, files: ['one'] }, { timeout: 25_000 });
      expect(++inside).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      inside--;
      expect(await claim.release()).toBe(true);
    };
    await Promise.all(Array.from({ length: 12 }, (_, at) => work(at)));
    expect(await claims.list()).toEqual([]);
  });
});
