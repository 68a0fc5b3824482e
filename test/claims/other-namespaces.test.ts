// A pid of another pid namespace means another process here, so nobody is told it.
import { describe, expect } from 'vitest';
import type { ClaimConflictError } from '../../src/claims.js';
import { setUp } from '../support/claims-setting.js';
import { call } from '../support/command.js';
import { inPidNamespace } from '../support/pid-namespace.js';
import type { Program } from '../support/program.js';
import { errorOf } from '../support/refused.js';
import { needs } from '../support/tools.js';

const test = needs('root', 'unshare');
/** A process in a pid namespace of its own that claims, and stays. */
async function claimInside(directory: string, root: string, request: string): Promise<Program> {
  const source = `globalThis.kept = await claims.claim(${request}); console.log('claimed');`;
  const inside = inPidNamespace(directory, root, source);
  await inside.says('claimed\n');
  return inside;
}

describe('a claim from another pid namespace', () => {
  test('that is bound is held by a process without a pid here', async () => {
    const { claims, directory, folder } = setUp();
    const inside = await claimInside(
      directory,
      folder,
      `{ agent: 'inner', files: ['i.ts'], bind: true }`,
    );
    const request = { agent: 'outer', files: ['i.ts'] };
    const refused = (await errorOf(() => claims.claim(request))) as ClaimConflictError;
    expect(refused.conflicts).toMatchObject([{ pid: null, inOtherContainer: true }]);
    expect(refused.message).not.toMatch(/until pid|Z/);
    expect(await claims.list()).toMatchObject([{ state: 'active', bound: { pid: null } }]);
    await expect(claims.claim({ ...request, agent: 'inner' })).rejects.toMatchObject({
      code: 'ERR_LOCK_HELD',
      holder: { pid: null, inOtherContainer: true },
    });
    const { stdout } = await call('claim', 'list', '--dir', directory, '--root', folder);
    expect(stdout).toMatch(/^inner +active\* +\d+s +- /m);
    expect(stdout).not.toContain('pid');
    const options = { existing: await claims.list() };
    const plan = claims.plan([request], options);
    expect((await plan).conflicts).toMatchObject([{ pid: null, inOtherContainer: true }]);
    await inside.kill();
    await claims.claim(request);
  });

  test('that overlaps with one of here still lives by its expiry', async () => {
    const { claims, directory, folder, put } = setUp();
    const request = `{ agent: 'inner', files: ['i.ts'], session: { pid: process.pid } }`;
    await claimInside(directory, folder, request);
    put('outer', { files: ['i.ts'] });
    const [first] = await claims.list();
    expect(first).toMatchObject({ agent: 'inner', state: 'conflicting', session: { pid: null } });
    const { stdout } = await call('claim', 'list', '--dir', directory, '--root', folder);
    expect(stdout).toMatch(/^inner +conflicting +\d+s +\d+m /m);
  });

  test('has its pid in the namespace where it is', async () => {
    const { claims } = setUp();
    const session = { pid: process.pid };
    await claims.claim({ agent: 'here', files: ['h.ts'], session });
    expect(await claims.list()).toMatchObject([{ session: { pid: session.pid } }]);
  });
});
