import { chmodSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Claims } from '../../src/claims.js';
import { until } from '../support/census.js';
import { claimedTree } from '../support/claims-setting.js';
import { call, start } from '../support/command.js';

describe('holdfast claim wait', () => {
  test('claims the paths in its turn; list shows who waits for whom meanwhile', async () => {
    const { root, locks, args } = claimedTree();
    const claims = new Claims(locks, { root });
    const held = await claims.claim({ agent: 'holder', files: ['x.ts'] });
    const first = start(['claim', 'wait', 'x.ts', ...args, '--agent', 'first', '--task', 'Wait']);
    await until(async () => (await claims.waits()).length === 1);
    const second = start([
      'claim',
      'wait',
      'x.ts',
      'y.ts',
      ...args,
      '--agent',
      'second',
      '-w',
      '20',
    ]);
    await until(async () => (await claims.waits()).length === 2);
    const listed = await call('claim', 'list', ...args);
    expect(listed.stdout).toMatch(/^first waits for holder: x\.ts \(\d+s\)$/m);
    expect(listed.stdout).toMatch(/^second waits for holder, first: x\.ts \(\+1\) \(\d+s\)$/m);
    const [status] = JSON.parse((await call('claim', 'list', ...args, '--json')).stdout);
    expect(status).toMatchObject({ agent: 'holder', waiters: ['first', 'second'] });
    const newcomer = await call('claim', 'add', 'y.ts', ...args, '--agent', 'newcomer');
    expect(newcomer.code).toBe(75);
    expect(newcomer.stderr).toContain('second wants y.ts');
    await held.release();
    expect(await first.exited).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^first: claimed x\.ts until /),
      stderr: expect.stringContaining('waiting: first cannot have x.ts: holder has x.ts'),
    });
    await claims.release('first');
    expect(await second.exited).toMatchObject({ code: 0 });
    expect((await claims.list()).map(({ agent }) => agent)).toEqual(['second']);
  });

  test('exits with 75 when the time is up, and at once where it would wait for itself', async () => {
    const { root, locks, args } = claimedTree();
    const claims = new Claims(locks, { root });
    await claims.claim({ agent: 'a', files: ['p'] });
    await claims.claim({ agent: 'b', files: ['q'] });
    const late = await call('claim', 'wait', 'p', ...args, '--agent', 'c', '-w', '200ms');
    expect(late.code).toBe(75);
    const waiting = start(['claim', 'wait', 'p', 'q', ...args, '--agent', 'a']);
    await until(async () => (await claims.waits()).length === 1);
    const refused = await call('claim', 'wait', 'q', 'p', ...args, '--agent', 'b');
    expect(refused.code).toBe(75);
    expect(refused.stderr).toContain('b would wait for itself: b waits for a, a waits for b');
    expect(refused.stderr).not.toContain('use -w');
    await claims.release('b');
    expect(await waiting.exited).toMatchObject({ code: 0 });
  });

  test('adds to what the agent has claimed before', async () => {
    const { root, locks, args } = claimedTree();
    const claims = new Claims(locks, { root });
    await claims.claim({ agent: 'one', files: ['own.ts'] });
    const held = await claims.claim({ agent: 'holder', files: ['x.ts'] });
    const waiting = start(['claim', 'wait', 'x.ts', ...args, '--agent', 'one']);
    await until(async () => (await claims.waits()).length === 1);
    await held.release();
    expect(await waiting.exited).toMatchObject({ code: 0 });
    expect(await claims.list()).toMatchObject([{ agent: 'one', files: ['own.ts', 'x.ts'] }]);
  });

  test('only looks where the folder cannot be written to', async () => {
    const { root, locks, args } = claimedTree();
    const claims = new Claims(locks, { root });
    const held = await claims.claim({ agent: 'holder', files: ['x.ts'] });
    // To root nothing is forbidden.
    const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    chmodSync(root, 0o755);
    chmodSync(locks, 0o555);
    const waiting = start(['claim', 'wait', 'x.ts', ...args, '--agent', 'first'], user);
    await until(() => waiting.stderr.includes('waiting: '));
    chmodSync(locks, 0o755);
    await held.release();
    expect(await waiting.exited).toMatchObject({ code: 0 });
    expect(waiting.stdout).toContain('free, but not claimed');
  });
});
