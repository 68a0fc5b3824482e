import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { setting, WIDE } from '../support/claims-bound.js';
import { aborted, expired, LOST, setUp } from '../support/claims-setting.js';
import { idle, pair } from '../support/processes.js';
import { expectWarning } from '../support/setup.js';

expectWarning('HOLDFAST_CLAIM_EXPIRED');

const onLinux = test.runIf(process.platform === 'linux');
const A = { agent: 'a', files: ['a.ts'] };
const ANEW = { agent: 'a', files: ['b.ts'] };

function held(pid: number | null, command: unknown = expect.any(String)): unknown {
  return expect.objectContaining({
    name: 'LockHeldError',
    code: 'ERR_LOCK_HELD',
    holder: expect.objectContaining({ pid, command }),
  });
}

function sessionIn(directory: string, agent = 'a'): number | undefined {
  const fields = JSON.parse(readFileSync(join(directory, `${agent}.lock`), 'utf8'));
  return fields.session?.pid;
}

describe('a name that another session has', () => {
  onLinux('is refused with its holder, and what it has stays', async () => {
    const { claims, others } = setUp();
    const [one, other] = [await idle(), await idle()];
    await claims.claim({ ...A, session: one });
    await expect(others.claim({ ...ANEW, session: other })).rejects.toEqual(
      held(one.pid, 'sleep 60'),
    );
    // Nor may somebody who is in no session at all.
    await expect(others.claim(ANEW)).rejects.toEqual(held(one.pid));
    await expect(others.claimAll([ANEW, { agent: 'c', files: ['c.ts'] }])).rejects.toEqual(
      held(one.pid),
    );
    expect(await claims.list()).toMatchObject([{ agent: 'a', files: ['a.ts'] }]);
  });

  onLinux('is not waited for', async () => {
    const { claims, others } = setUp();
    const one = await idle();
    await claims.claim({ ...A, session: one });
    await expect(others.claim(A, { timeout: 20_000 })).rejects.toEqual(held(one.pid));
  });

  onLinux('is taken by force, and its owner hears of it', async () => {
    const { claims, others, directory } = setUp();
    const [one, other] = [await idle(), await idle()];
    const first = await claims.claim({ ...A, session: one });
    await others.claim({ ...ANEW, session: other }, { force: true });
    expect(sessionIn(directory)).toBe(other.pid);
    expect(await aborted(first.signal)).toEqual(LOST);
    await others.claim(A, { force: true });
    expect(sessionIn(directory)).toBeUndefined();
  });

  onLinux('is free once that session has ended', async () => {
    const { claims, others, directory } = setUp();
    const [one, other] = [await idle(), await idle()];
    await claims.claim({ ...A, session: one });
    await one.kill();
    await others.claim({ ...ANEW, session: other });
    expect(sessionIn(directory)).toBe(other.pid);
  });

  test('of which it is unknown whether it runs, is refused; its pid names no process here', async () => {
    const { claims, put } = setUp();
    put('a', { session: { pid: 1, start: '1', boot: 'x', namespace: '1' } });
    await expect(claims.claim(A)).rejects.toEqual(held(null, null));
    await claims.claim(A, { force: true });
  });

  onLinux('is released by that session, or by force', async () => {
    const { claims, others, put, directory } = setUp();
    const one = await idle();
    await claims.claim({ ...A, session: one });
    put('plain');
    await expect(others.release('a')).rejects.toEqual(held(one.pid));
    await expect(others.release('a', { paths: ['a.ts'] })).rejects.toEqual(held(one.pid));
    await expect(others.releaseAll()).rejects.toEqual(held(one.pid));
    expect(await claims.list()).toMatchObject([{ agent: 'a', state: 'active' }]);
    expect(await others.release('a', { force: true })).toBe(true);
    // Who has claimed for a session may end that, without being in it.
    await claims.claim({ ...A, session: one });
    expect(await claims.release('a')).toBe(true);
    const handle = await claims.claim({ ...A, session: one });
    expect(await handle.release()).toBe(true);
    await claims.claim({ ...A, session: { pid: process.pid } });
    expect(sessionIn(directory)).toBe(process.pid);
    expect(await claims.release('a')).toBe(true);
    await claims.claim({ ...A, session: one });
    await one.kill();
    expect(await claims.release('a')).toBe(true);
  });

  test('without a session is replaced as ever', async () => {
    const { claims, others, directory } = setUp();
    const session = await idle();
    await claims.claim(A);
    await others.claim(ANEW);
    await claims.claim({ ...A, session });
    expect(sessionIn(directory)).toBe(session.pid);
  });

  test('is checked: force is a boolean', async () => {
    const { claims } = setUp();
    await expect(claims.claim(A, { force: 1 } as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
    });
  });
});

describe('a name that another process has bound', () => {
  test('is refused with its holder, and taken by force', async () => {
    const { owner, other } = await setting();
    await expect(other.claim(WIDE)).rejects.toMatchObject({
      code: 'ERR_LOCK_HELD',
      holder: { pid: owner.pid },
    });
    expect(await owner.describe('wide')).toMatchObject({ aborted: false });
    await other.claim(WIDE, { force: true });
    expect(await owner.event('lost', 'wide')).toBe('ERR_LOCK_LOST');
  });
});

describe('the same session', () => {
  onLinux('claims anew', async () => {
    const { claims, others, directory } = setUp();
    const session = await idle();
    await claims.claim({ ...A, session });
    await others.claim({ ...ANEW, session });
    expect(sessionIn(directory)).toBe(session.pid);
    expect(await claims.list()).toMatchObject([{ files: ['b.ts'], state: 'active' }]);
  });

  onLinux('by a process below: the claim stays with the upper one', async () => {
    const { claims, others, directory } = setUp();
    const { upper, lower } = await pair();
    await claims.claim({ ...A, session: upper });
    await others.claim({ ...ANEW, session: { pid: lower } });
    expect(sessionIn(directory)).toBe(upper.pid);
    // The lower one may end: the upper one may start another.
    process.kill(lower, 'SIGKILL');
    await upper.exited;
    expect(await claims.list()).toMatchObject([{ state: 'orphaned' }]);
  });

  onLinux('is not that of a process above, which may have several below', async () => {
    const { claims, others } = setUp();
    const { upper, lower } = await pair();
    await claims.claim({ ...A, session: { pid: lower } });
    await expect(others.claim({ ...ANEW, session: upper })).rejects.toEqual(held(lower));
  });

  onLinux('by a caller who names none and is in it: the claim keeps it', async () => {
    const { claims, others, directory } = setUp();
    await claims.claim({ ...A, session: { pid: process.ppid } });
    await others.claim(ANEW);
    expect(sessionIn(directory)).toBe(process.ppid);
    await others.claim(A, { force: true });
    expect(sessionIn(directory)).toBe(process.ppid);
    await others.claim({ ...A, bind: true });
    expect(sessionIn(directory)).toBeUndefined();
  });
});

describe('extending', () => {
  const MORE = { ...ANEW, extend: true };

  onLinux('within the session keeps it, whoever of it asks', async () => {
    const { claims, others, directory } = setUp();
    const { upper, lower } = await pair();
    const claim = await claims.claim({ ...A, session: upper });
    await others.claim({ ...MORE, session: { pid: lower } });
    expect(sessionIn(directory)).toBe(upper.pid);
    // Who holds the claim need not be in its session.
    await claim.extend({ files: ['c.ts'] });
    expect(await claims.list()).toMatchObject([
      { files: ['a.ts', 'b.ts', 'c.ts'], session: { pid: upper.pid } },
    ]);
    await upper.kill();
    expect(await claims.list()).toMatchObject([{ state: 'orphaned' }]);
  });

  onLinux('gives a claim by the clock to the session', async () => {
    const { claims, directory } = setUp();
    const session = await idle();
    await claims.claim(A);
    await claims.claim({ ...MORE, session });
    expect(sessionIn(directory)).toBe(session.pid);
    expect(await claims.list()).toMatchObject([{ files: ['a.ts', 'b.ts'] }]);
  });

  onLinux('what another session has is refused; by force, nothing of that stays', async () => {
    const { claims, others, directory } = setUp();
    const [one, other] = [await idle(), await idle()];
    await claims.claim({ ...A, session: one });
    await expect(others.claim({ ...MORE, session: other })).rejects.toEqual(held(one.pid));
    const shrink = { agent: 'a', release: ['a.ts'] };
    await expect(others.claim(shrink)).rejects.toEqual(held(one.pid));
    await others.claim({ ...MORE, session: other }, { force: true });
    expect(sessionIn(directory)).toBe(other.pid);
    expect(await claims.list()).toMatchObject([{ files: ['b.ts'] }]);
  });

  test('a claim that is bound leaves it to who has bound it', async () => {
    const { claims, directory } = setUp();
    await claims.claim({ ...A, bind: true });
    await claims.claim({ ...MORE, session: { pid: process.ppid } });
    expect(sessionIn(directory)).toBeUndefined();
    expect(await claims.list()).toMatchObject([
      { files: ['a.ts', 'b.ts'], bound: { pid: process.pid }, session: null },
    ]);
  });

  test('keeps what another program means by “session”', async () => {
    const { claims, put, directory } = setUp();
    const file = put('a', { session: 'tmux-1', parent: 'x' });
    await claims.claim({ ...MORE });
    const read = () => JSON.parse(readFileSync(file, 'utf8'));
    expect(read()).toMatchObject({ session: 'tmux-1', parent: 'x' });
    await claims.claim({ ...A, extend: true, session: { pid: process.pid }, parent: 'p' });
    expect(sessionIn(directory)).toBe(process.pid);
    expect(read()).toMatchObject({ parent: 'p' });
  });
});

test('over its own expired claim an agent is warned as well', async () => {
  const { claims, put } = setUp();
  put('a', expired);
  const warned = new Promise<Error>((resolve) => {
    const onWarning = (warning: Error): void => {
      if (warning.message !== 'Overwriting expired lock for a') return;
      process.removeListener('warning', onWarning);
      resolve(warning);
    };
    process.on('warning', onWarning);
  });
  await claims.claim(A);
  expect(await warned).toMatchObject({ code: 'HOLDFAST_CLAIM_EXPIRED' });
});
