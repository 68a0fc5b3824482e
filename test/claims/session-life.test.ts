import { chmodSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isAlive, markOf, type SessionMark } from '../../src/claims/session.js';
import type { ClaimState, Claims } from '../../src/claims.js';
import { setUp, time } from '../support/claims-setting.js';
import { inPidNamespace } from '../support/pid-namespace.js';
import { idle, pair } from '../support/processes.js';
import { Program } from '../support/program.js';
import { NOBODY, needs } from '../support/tools.js';

const onLinux = test.runIf(process.platform === 'linux');
const EXPIRED = { locked_at: time(-7_200_000), expires_at: time(-3_600_000) };

async function stateOf(claims: Claims, agent: string): Promise<ClaimState | undefined> {
  return (await claims.list()).find((each) => each.agent === agent)?.state;
}

describe('whether a process lives', () => {
  onLinux('is told by its start: a later process with its pid is another', async () => {
    const { upper, lower } = await pair();
    const [one, other] = [markOf(upper.pid), markOf(lower)] as [SessionMark, SessionMark];
    expect([isAlive(one), isAlive(other)]).toEqual([true, true]);
    expect(isAlive({ ...one, start: `${Number(one.start) - 1}` })).toBe(false);
    expect(isAlive({ ...one, start: '' })).toBeNull();
    await upper.kill();
    expect(isAlive(one)).toBe(false);
    // By the pid alone as well: nobody has it.
    expect(isAlive({ ...one, start: '' })).toBe(false);
  });

  needs('root', 'unshare')('is told of one that /proc hides, by EPERM', async () => {
    const session = await idle();
    const mark = markOf(session.pid);
    const look = `
      const { Claims } = await import(${JSON.stringify(new URL('../../dist/claims.js', import.meta.url).href)});
      process.setgid(${NOBODY.gid}); process.setgroups?.([]); process.setuid(${NOBODY.uid});
      const { existsSync } = await import('node:fs');
      const [status] = await new Claims(args[0], { root: '/' }).list();
      say(JSON.stringify([existsSync('/proc/${session.pid}/stat'), status.state]));`;
    const { folder, directory, put } = setUp();
    chmodSync(folder, 0o755);
    put('wide', { session: mark, ...EXPIRED });
    const inner = `mount -t proc -o hidepid=2 proc /proc && exec "$@"`;
    const program = Program.start('unshare', [
      '-m',
      'sh',
      '-c',
      inner,
      'sh',
      process.execPath,
      '--input-type=module',
      '-e',
      `const args = process.argv.slice(1); const say = console.log; ${look}`,
      directory,
    ]);
    const { stdout, stderr } = await program.end();
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual([false, 'active']);
  });

  needs('root', 'unshare')('cannot be told from another pid namespace', async () => {
    const { claims, directory, folder } = setUp();
    await claims.claim({ agent: 'outer', files: ['o.ts'], session: await idle() });
    const source = `
      await claims.claim({ agent: 'inner', files: ['i.ts'], session: { pid: process.pid } });
      console.log(JSON.stringify((await claims.list()).map((each) => [each.agent, each.state])));`;
    const inside = inPidNamespace(directory, folder, source);
    await inside.says(']]\n');
    expect(JSON.parse(inside.stdout)).toEqual([
      ['inner', 'active'],
      ['outer', 'unverified'],
    ]);
    expect(await stateOf(claims, 'inner')).toBe('unverified');
    expect(await stateOf(claims, 'outer')).toBe('active');
    await inside.kill();
    // Nobody can tell, so it lives by its expiry.
    expect(await stateOf(claims, 'inner')).toBe('unverified');
  });
});
