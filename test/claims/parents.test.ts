import { describe, expect, test } from 'vitest';
import { isToBeClaimed } from '../../src/claims/verdicts.js';
import type { ClaimRequest, Claims } from '../../src/claims.js';
import { setUp } from '../support/claims-setting.js';
import { idle, pair } from '../support/processes.js';

const onLinux = test.runIf(process.platform === 'linux');
const CONFLICT = expect.objectContaining({ code: 'ERR_CLAIM_CONFLICT' });
const HELD = expect.objectContaining({ code: 'ERR_LOCK_HELD' });
const P = { agent: 'p', directories: ['src/'] };
const session = { pid: process.pid };
const child = (agent: string, ...files: string[]): ClaimRequest => ({ agent, files, parent: 'p' });

describe('a sub-agent', () => {
  test('may overlap with what is above it, and that with it', async () => {
    const { claims } = setUp();
    await claims.claim({ ...P, session });
    await claims.claim({ ...child('p.1', 'src/a.ts'), session });
    await claims.claim({ agent: 'p.1.1', files: ['src/a.ts'], parent: 'p.1', session });
    await claims.claim({ ...P, session });
    expect(await claims.audit()).toEqual([]);
    const states = (await claims.list()).map(({ agent, state, parent }) => [agent, state, parent]);
    expect(states).toEqual([
      ['p', 'active', null],
      ['p.1', 'active', 'p'],
      ['p.1.1', 'active', 'p.1'],
    ]);
  });

  test('may not overlap with a sibling, nor with anybody else', async () => {
    const { claims } = setUp();
    await claims.claim({ ...P, session });
    await claims.claim({ ...child('p.1', 'src/a.ts'), session });
    await expect(claims.claim({ ...child('p.2', 'src/*.ts'), session })).rejects.toEqual(CONFLICT);
    await expect(claims.claim({ agent: 'q', files: ['src/a.ts'] })).rejects.toEqual(CONFLICT);
    await claims.claim({ ...child('p.2', 'src/b.ts'), session });
  });

  test('and its parent are claimed in one step', async () => {
    const { claims } = setUp();
    await claims.claimAll([P, child('p.1', 'src/a.ts')]);
    const twins = [child('p.2', 'src/b.ts'), child('p.3', 'src/b.ts')];
    await expect(claims.claimAll(twins)).rejects.toEqual(CONFLICT);
    expect(claims.plan([P, child('p.1', 'src/a.ts')]).waves).toEqual([['p', 'p.1']]);
  });

  test('of a parent that has claimed nothing is one all the same', async () => {
    const { claims } = setUp();
    await claims.claim({ ...child('p.1', 'src/a.ts'), session });
    await claims.claim({ ...P, session });
    await expect(claims.claim({ agent: 'q', directories: ['src/'] })).rejects.toEqual(CONFLICT);
  });

  onLinux('has the session of its parent, if it names none or one below it', async () => {
    const { claims } = setUp();
    const { upper, lower } = await pair();
    await claims.claim({ ...P, session: upper });
    await claims.claim({ ...child('p.1', 'src/a.ts'), session: { pid: lower } });
    await expect(claims.claim(child('p.2', 'src/b.ts'))).rejects.toEqual(HELD);
    const own = setUp();
    await own.claims.claim({ ...P, session });
    await own.claims.claim(child('p.2', 'src/b.ts'));
    const pids = async (of: Claims) => (await of.list()).map((each) => each.session?.pid);
    expect(await pids(claims)).toEqual([upper.pid, upper.pid]);
    expect(await pids(own.claims)).toEqual([process.pid, process.pid]);
  });

  onLinux('of another session’s name is refused', async () => {
    const { claims } = setUp();
    const [one, other] = [await idle(), await idle()];
    await claims.claim({ ...P, session: one });
    const request = { ...child('p.1', 'src/a.ts'), session: other };
    await expect(claims.claim(request)).rejects.toMatchObject({
      code: 'ERR_LOCK_HELD',
      holder: { pid: one.pid },
    });
    // Nor does it help to take the name of the child.
    await expect(claims.claim(request, { force: true })).rejects.toEqual(HELD);
  });

  onLinux('cannot be one of a process above that of its parent’s session', async () => {
    const { claims } = setUp();
    // As a terminal is above all agents that were started in it.
    const { upper, lower } = await pair();
    await claims.claim({ ...P, session: { pid: lower } });
    const above = { ...child('terminal', 'src/a.ts'), session: upper };
    await expect(claims.claim(above)).rejects.toMatchObject({
      code: 'ERR_LOCK_HELD',
      holder: { pid: lower },
    });
    // Nor if it says so before there is such a parent.
    const early = setUp().claims;
    await early.claim(above);
    await expect(early.claim({ ...P, session: { pid: lower } })).rejects.toEqual(CONFLICT);
  });

  onLinux('is none of who takes the parent’s name by force', async () => {
    const { claims } = setUp();
    const [one, other] = [await idle(), await idle()];
    await claims.claim({ ...P, session: one });
    await claims.claim({ ...child('p.1', 'src/a.ts'), session: one });
    const taken = claims.claim({ ...P, session: other }, { force: true });
    await expect(taken).rejects.toEqual(CONFLICT);
  });
});

describe('a chain of parents', () => {
  test('that returns to itself is refused', async () => {
    const { claims } = setUp();
    const bad = { code: 'ERR_INVALID_ARG_VALUE' };
    await expect(claims.claim({ ...P, parent: 'p' })).rejects.toMatchObject(bad);
    await claims.claim(child('p.1', 'a'));
    await expect(claims.claim({ ...P, parent: 'p.1' })).rejects.toMatchObject(bad);
    const both = [
      { agent: 'x', files: ['x'], parent: 'y' },
      { agent: 'y', files: ['y'], parent: 'x' },
    ];
    await expect(claims.claimAll(both)).rejects.toMatchObject(bad);
    await expect(claims.claim({ ...P, parent: 5 } as never)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
    });
    await expect(claims.claim({ ...P, parent: '../x' })).rejects.toMatchObject(bad);
  });

  test('and does so in the files is invalid, and decides nothing', async () => {
    const { claims, put } = setUp();
    put('x', { id: '1', parent: 'y', files: ['a'] });
    put('y', { id: '2', parent: 'x', files: ['a'] });
    put('self', { id: '3', parent: 'self' });
    expect((await claims.list()).map(({ state }) => state)).toEqual([
      'invalid',
      'invalid',
      'invalid',
    ]);
    await expect(claims.claim({ agent: 'q', files: ['q'] })).rejects.toMatchObject({
      code: 'ERR_CLAIM_INVALID',
    });
    await expect(
      claims.claim({ agent: 'q', files: ['a'] }, { ignoreInvalid: true }),
    ).rejects.toEqual(CONFLICT);
    expect(await claims.release('x')).toBe(true);
    expect((await claims.list()).map(({ state }) => state)).toEqual(['invalid', 'active']);
  });
});

describe('a verdict', () => {
  test('names the innermost owner', async () => {
    const { claims } = setUp();
    await claims.claim(P);
    await claims.claim(child('p.1', 'src/a.ts'));
    const owners = async (as?: string) =>
      (await claims.check(['src/a.ts', 'src/b.ts', 'c.ts'], as === undefined ? {} : { as })).map(
        ({ verdict, owner, notice }) => [verdict, owner?.agent ?? null, notice !== null],
      );
    expect(await owners()).toEqual([
      ['other', 'p.1', false],
      ['other', 'p', false],
      ['unclaimed', null, false],
    ]);
    // It claims them for itself: they are its parent's, not its own.
    expect(await owners('p.1')).toEqual([
      ['mine', 'p.1', false],
      ['unclaimed', null, false],
      ['unclaimed', null, false],
    ]);
    expect(await owners('p')).toEqual([
      ['mine', 'p.1', true],
      ['mine', 'p', false],
      ['unclaimed', null, false],
    ]);
    expect(await owners('q')).toEqual(await owners());
  });

  test('of a sibling is that of another', async () => {
    const { claims } = setUp();
    await claims.claim(child('p.1', 'src/a.ts'));
    await claims.claim(child('p.2', 'src/b.ts'));
    expect(await claims.check(['src/a.ts'], { as: 'p.2' })).toMatchObject([
      { verdict: 'other', owner: { agent: 'p.1' } },
    ]);
  });

  test('tells what a write has to claim', async () => {
    const { claims } = setUp();
    await claims.claim(child('p.1', 'src/a.ts'));
    await claims.claim({ agent: 'p', files: ['src/b.ts'] });
    const verdicts = await claims.check(['src/a.ts', 'src/b.ts', 'c.ts'], { as: 'p' });
    expect(verdicts.map(isToBeClaimed)).toEqual([true, false, true]);
    const [foreign] = await claims.check(['src/b.ts'], { as: 'q' });
    expect(foreign && isToBeClaimed(foreign)).toBe(false);
  });
});
