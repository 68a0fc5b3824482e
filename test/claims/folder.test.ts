import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Claims } from '../../src/claims.js';
import { setUpFiles } from '../support/claims-setting.js';
import { errorOf } from '../support/refused.js';
import { runScript } from '../support/script.js';
import { NOBODY, needs } from '../support/tools.js';

describe('a folder that vanishes', () => {
  test('takes its claims with it, and the next claim makes it anew', async () => {
    const { claims, directory } = setUpFiles();
    const claim = await claims.claim({ agent: 'a', files: ['x'] });
    rmSync(directory, { recursive: true });
    expect(await claims.list()).toEqual([]);
    expect(await claim.release()).toBe(false);
    expect(existsSync(directory)).toBe(false);
    const next = await claims.claim({ agent: 'b', files: ['x'] });
    expect(readdirSync(directory)).toEqual(['b.lock']);
    await next.release();
  });

  test('is not created again by renew, which rejects with ERR_LOCK_LOST', async () => {
    const { claims, directory } = setUpFiles();
    const claim = await claims.claim({ agent: 'a', files: ['x'] });
    rmSync(directory, { recursive: true });
    expect(await errorOf(() => claim.renew())).toMatchObject({ code: 'ERR_LOCK_LOST' });
    expect(claim.signal.aborted).toBe(true);
    expect(existsSync(directory)).toBe(false);
  });

  test('tells the owner of a claim by its signal', async () => {
    const { claims, directory } = setUpFiles();
    const claim = await claims.claim({ agent: 'a', files: ['x'] });
    rmSync(directory, { recursive: true });
    await expect.poll(() => claim.signal.aborted, { timeout: 10_000 }).toBe(true);
    expect(claim.signal.reason).toMatchObject({ code: 'ERR_LOCK_LOST' });
    expect(claim.covers('x')).toBe(false);
  });

  test('lets waiters in it go on', async () => {
    const { claims, directory } = setUpFiles();
    await claims.claim({ agent: 'a', files: ['x'] });
    const claim = await claims.claim(
      { agent: 'b', files: ['x'] },
      { timeout: 20_000, onWait: () => rmSync(directory, { recursive: true }) },
    );
    expect(readdirSync(directory)).toEqual(['b.lock']);
    await claim.release();
  });

  test('and comes back is watched on', async () => {
    const { claims, directory } = setUpFiles();
    const controller = new AbortController();
    const watched = claims.watch({ signal: controller.signal });
    const agents = async (): Promise<string[] | undefined> =>
      ((await watched.next()).value ?? undefined)?.map(({ agent }: { agent: string }) => agent);
    expect(await agents()).toEqual([]);
    await claims.claim({ agent: 'a', files: ['x'] });
    expect(await agents()).toEqual(['a']);
    renameSync(directory, `${directory}.old`);
    expect(await agents()).toEqual([]);
    await claims.claim({ agent: 'b', files: ['x'] });
    expect(await agents()).toEqual(['b']);
    controller.abort();
    await errorOf(() => watched.next());
    await claims.releaseAll();
  });

  test('is a file: the error is the system’s', async () => {
    const { folder } = setUpFiles();
    const path = join(folder, 'file');
    writeFileSync(path, 'content');
    const claims = new Claims(path, { root: folder });
    const calls = [
      () => claims.claim({ agent: 'a', files: ['x'] }),
      () => claims.list(),
      () => claims.prune(),
    ];
    for (const call of calls) expect(await errorOf(call)).toMatchObject({ code: 'ENOTDIR' });
    expect(readFileSync(path, 'utf8')).toBe('content');
  });
});

const BEGINNING = '[{"from":".holdfast-0123456789abcdef.tmp"';

test.each(['', '\0\0\0', BEGINNING, `${BEGINNING}}]`, `${BEGINNING},"to":"../a.lock"}]`])(
  'a journal %j, as a power failure may leave it, lists nothing',
  async (journal) => {
    const { directory, claims } = setUpFiles();
    writeFileSync(join(directory, '.holdfast-journal'), journal);
    expect(await claims.list()).toEqual([]);
    await claims.claim({ agent: 'a', files: ['x'] });
    expect(readdirSync(directory)).toEqual(['a.lock']);
  },
);

describe('a folder that another user made', () => {
  needs('root')('and that may not be read: EACCES, and not a folder without claims', async () => {
    const { claims, directory } = setUpFiles();
    await claims.claim({ agent: 'a', files: ['x'] });
    chmodSync(directory, 0o711);
    chmodSync(dirname(directory), 0o755);
    const source = `
      const { Claims } = await import(new URL('claims.js', process.env.HOLDFAST_TEST_ENTRY).href);
      const claims = new Claims(path);
      report(await outcome(() => claims.list()));
      report(await outcome(() => claims.check(['x'], { as: 'b' })));
      report(await outcome(() => claims.claim({ agent: 'b', files: ['y'] })));`;
    const { reports } = await runScript(directory, source, NOBODY);
    expect(reports).toMatchObject(Array(3).fill({ code: 'EACCES' }));
  });
});
