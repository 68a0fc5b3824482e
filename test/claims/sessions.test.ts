import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isCanonicalClaim } from '../../src/claims/canonical-form.js';
import { markOf, type SessionMark } from '../../src/claims/session.js';
import type { ClaimState, Claims } from '../../src/claims.js';
import { aborted, LOST, setUp, time } from '../support/claims-setting.js';
import { Idle, idle } from '../support/processes.js';
import { expectWarning } from '../support/setup.js';

expectWarning('HOLDFAST_CLAIM_EXPIRED');

const WIDE = { agent: 'wide', files: ['src/*/a.ts'] };
const NARROW = { agent: 'narrow', files: ['src/b/*.ts'] };
const CONFLICT = expect.objectContaining({ code: 'ERR_CLAIM_CONFLICT' });
const onLinux = test.runIf(process.platform === 'linux');

async function stateOf(claims: Claims, agent: string): Promise<ClaimState | undefined> {
  return (await claims.list()).find((each) => each.agent === agent)?.state;
}

function edit(file: string, change: (fields: Record<string, unknown>) => object): void {
  writeFileSync(file, JSON.stringify(change(JSON.parse(readFileSync(file, 'utf8')))));
}

/** Starts a call and resolves once it has to wait. In an object: a bare promise would be awaited. */
async function waiting<T>(
  start: (onWait: () => void) => Promise<T>,
): Promise<{ call: Promise<T> }> {
  let begun!: Promise<T>;
  await new Promise<void>((resolve, reject) => {
    begun = start(resolve);
    begun.then(() => reject(new Error('granted without a wait')), reject);
  });
  return { call: begun };
}

const EXPIRED = { locked_at: time(-7_200_000), expires_at: time(-3_600_000) };

describe('a claim with a session', () => {
  onLinux('names its process, boot and pid namespace', async () => {
    const { claims, directory } = setUp();
    const session = await idle();
    await claims.claim({ ...WIDE, session });
    const [status] = await claims.list();
    expect(status).toMatchObject({
      state: 'active',
      session: { pid: session.pid },
      bound: null,
      parent: null,
    });
    const text = readFileSync(join(directory, 'wide.lock'), 'utf8');
    const { session: mark } = JSON.parse(text) as { session: SessionMark };
    expect(mark).toEqual(markOf(session.pid));
    for (const each of [mark.start, mark.boot, mark.namespace]) expect(each).not.toBe('');
    // So that a check beside a thousand of them takes no longer.
    expect(isCanonicalClaim(text, 'wide')).toBe(true);
  });

  onLinux(
    'is active whatever its expiry says, and orphaned the moment that it has ended',
    async () => {
      const { claims, others, directory } = setUp();
      const session = await idle();
      await claims.claim({ ...WIDE, session });
      edit(join(directory, 'wide.lock'), (fields) => ({ ...fields, ...EXPIRED }));
      expect(await stateOf(claims, 'wide')).toBe('active');
      expect(await claims.prune()).toEqual([]);
      await expect(others.claim(NARROW)).rejects.toEqual(CONFLICT);
      await session.kill();
      expect(await stateOf(claims, 'wide')).toBe('orphaned');
      expect(await claims.check(['src/b/a.ts'])).toMatchObject([{ verdict: 'unclaimed' }]);
      await others.claim(NARROW);
      expect(await stateOf(claims, 'wide')).toBeUndefined();
    },
  );

  onLinux('is pruned once it has ended', async () => {
    const { claims } = setUp();
    const session = await idle();
    await claims.claim({ ...WIDE, session });
    await session.kill();
    expect(await claims.prune()).toMatchObject([
      { agent: 'wide', state: 'orphaned', session: { pid: session.pid } },
    ]);
  });

  onLinux('is granted to who waits for it, promptly', async () => {
    const waits: number[] = [];
    for (let round = 0; round < 3; round++) {
      const { claims, others } = setUp();
      const session = await idle();
      await claims.claim({ ...WIDE, session });
      const granted = await waiting((onWait) => others.claim(NARROW, { timeout: 10_000, onWait }));
      // It looks once more before it waits: nothing tells when it does.
      await new Promise((resolve) => setTimeout(resolve, 100));
      const killed = performance.now();
      await session.kill();
      await granted.call;
      waits.push(performance.now() - killed);
    }
    // The poll of the folder, each second, would be later.
    expect(Math.min(...waits)).toBeLessThan(300);
  });

  onLinux('past its expiry is waited for without haste', async () => {
    const { claims, others, directory } = setUp();
    const session = await idle();
    await claims.claim({ ...WIDE, session });
    edit(join(directory, 'wide.lock'), (fields) => ({ ...fields, ...EXPIRED }));
    const before = process.cpuUsage();
    await expect(others.claim(NARROW, { timeout: 1000 })).rejects.toEqual(CONFLICT);
    const { user, system } = process.cpuUsage(before);
    expect(user + system).toBeLessThan(250_000);
  });

  onLinux('does not expire for its owner, who hears of the end of the process', async () => {
    const { claims } = setUp();
    const session = await idle();
    // Counted as gone at once if it lived by the clock.
    const claim = await claims.claim({ ...WIDE, session, ttl: 1 });
    expect(claim.covers('src/b/a.ts')).toBe(true);
    expect(claim.signal.aborted).toBe(false);
    await session.kill();
    expect(claim.covers('src/b/a.ts')).toBe(false);
    expect(await aborted(claim.signal)).toEqual(LOST);
  });

  onLinux('of another process with this pid has ended', async () => {
    const { claims, directory } = setUp();
    const session = await idle();
    await claims.claim({ ...WIDE, session });
    edit(join(directory, 'wide.lock'), (fields) => ({
      ...fields,
      session: { ...(fields['session'] as object), start: '1' },
    }));
    expect(await stateOf(claims, 'wide')).toBe('orphaned');
    await claims.claim(NARROW);
  });

  test.each([
    ['another boot', { boot: '00000000-0000-0000-0000-000000000000' }],
    ['another pid namespace', { namespace: '1' }],
    ['no boot', { boot: '' }],
  ])('of %s is unverified: it blocks until it expires', async (_, other) => {
    const { claims, directory } = setUp();
    await claims.claim({ ...WIDE, session: await idle() });
    const file = join(directory, 'wide.lock');
    edit(file, (fields) => ({
      ...fields,
      session: { ...(fields['session'] as object), pid: 2 ** 22 + 1, ...other },
    }));
    expect(await stateOf(claims, 'wide')).toBe('unverified');
    expect(await claims.prune()).toEqual([]);
    expect(await claims.check(['src/b/a.ts'])).toMatchObject([{ verdict: 'other' }]);
    await expect(claims.claim(NARROW)).rejects.toEqual(CONFLICT);
    expect(await claims.renew('wide', 60_000)).toBeInstanceOf(Date);
    edit(file, (fields) => ({ ...fields, ...EXPIRED }));
    expect(await stateOf(claims, 'wide')).toBe('expired');
    await claims.claim(NARROW);
  });

  test('in an edited file may be anything: what is not a session is a field like any other', async () => {
    const { claims, put } = setUp();
    for (const [at, session] of ['tmux-1', 5, null, [], { id: 'x' }, { pid: '5' }].entries()) {
      put(`a${at}`, { session, parent: 'a0' });
    }
    for (const status of await claims.list()) {
      expect(status).toMatchObject({ state: 'active', session: null, parent: null });
    }
  });

  test('and bound to a descriptor as well is refused', async () => {
    const { claims } = setUp();
    const request = { ...WIDE, bind: true, session: { pid: process.pid } };
    await expect(claims.claim(request)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
  });
});

describe('the pid of a session', () => {
  test.each([
    ['ERR_INVALID_ARG_TYPE', null],
    ['ERR_INVALID_ARG_TYPE', 5],
    ['ERR_INVALID_ARG_TYPE', {}],
    ['ERR_INVALID_ARG_TYPE', { pid: '5' }],
    ['ERR_INVALID_ARG_VALUE', { pid: 5, start: 'x' }],
    ['ERR_OUT_OF_RANGE', { pid: 0 }],
    ['ERR_OUT_OF_RANGE', { pid: -1 }],
    ['ERR_OUT_OF_RANGE', { pid: 1.5 }],
    ['ERR_OUT_OF_RANGE', { pid: Number.NaN }],
    ['ERR_OUT_OF_RANGE', { pid: 2 ** 31 }],
  ])('is refused with %s: %o', async (code, session) => {
    const { claims } = setUp();
    await expect(claims.claim({ ...WIDE, session } as never)).rejects.toMatchObject({ code });
  });

  test('is refused where no process has it', async () => {
    const { claims } = setUp();
    const session = await idle();
    await session.kill();
    await expect(claims.claim({ ...WIDE, session: { pid: session.pid } })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
      message: expect.stringContaining('a running process'),
    });
    expect(await claims.list()).toEqual([]);
  });

  onLinux('is refused where the process has ended while the claim was waited for', async () => {
    const { claims, others } = setUp();
    const session = await idle();
    const first = await claims.claim(NARROW);
    const { call } = await waiting((onWait) =>
      others.claim({ ...WIDE, session }, { timeout: 10_000, onWait }),
    );
    await session.kill();
    await first.release();
    await expect(call).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
  });

  onLinux('of a zombie is that of no process', async () => {
    // The program that the shell becomes waits for nobody; the shell might.
    const child = 'until grep -q sleep /proc/$PPID/comm; do :; done';
    const line = `sh -c '${child}' & echo $!; exec sleep 60`;
    const parent = await Idle.start('sh', ['-c', line], {});
    const pid = Number(await parent.line());
    const isZombie = (): boolean => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
    while (!isZombie()) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(() => process.kill(pid, 0)).not.toThrow();
    expect(markOf(pid)).toBeNull();
  });

  test('is not looked for in a plan', () => {
    const { claims } = setUp();
    const requests = [{ ...WIDE, session: { pid: 2 ** 31 - 1 } }];
    expect(claims.plan(requests).waves).toEqual([['wide']]);
  });
});

describe('renewing', () => {
  test('only once half of the time is gone', async () => {
    const { claims, directory } = setUp();
    const session = await idle();
    const { expiresAt } = await claims.claim({ ...WIDE, session, ttl: 3_600_000 });
    const renew = (ttl: number) => claims.renew('wide', ttl, { ifHalfGone: true });
    expect(await renew(3_600_000)).toEqual(expiresAt);
    expect(await renew(7_000_000)).toEqual(expiresAt);
    expect((await renew(7_300_000)).getTime()).toBeGreaterThan(expiresAt.getTime());
    edit(join(directory, 'wide.lock'), (fields) => ({ ...fields, ...EXPIRED }));
    expect((await renew(60_000)).getTime()).toBeGreaterThan(Date.now());
  });

  onLinux('is refused once the process has ended', async () => {
    const { claims } = setUp();
    const session = await idle();
    await claims.claim({ ...WIDE, session });
    await session.kill();
    for (const ifHalfGone of [false, true]) {
      await expect(claims.renew('wide', 1000, { ifHalfGone })).rejects.toEqual(LOST);
    }
  });
});
