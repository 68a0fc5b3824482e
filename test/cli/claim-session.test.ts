import { describe, expect, test } from 'vitest';
import { Claims } from '../../src/claims.js';
import { claimedTree } from '../support/claims-setting.js';
import { call } from '../support/command.js';
import { idle } from '../support/processes.js';

const onLinux = test.runIf(process.platform === 'linux');

describe('holdfast claim add', () => {
  onLinux('--session binds the claim to a process', async () => {
    const { args, locks, root } = claimedTree();
    const session = await idle();
    const pid = String(session.pid);
    const added = await call(
      'claim',
      'add',
      'a.ts',
      ...args,
      '--agent',
      'x',
      '--session',
      pid,
      '--json',
    );
    expect(JSON.parse(added.stdout)).toMatchObject({ session: { pid: session.pid } });
    const list = await call('claim', 'list', ...args);
    expect(list.stdout).toContain(`* bound to pid ${pid}`);
    const taken = [
      'claim',
      'add',
      'b.ts',
      ...args,
      '--agent',
      'x',
      '--session',
      String(process.pid),
    ];
    expect(await call(...taken)).toMatchObject({
      code: 75,
      stderr: expect.stringContaining(`pid ${pid} (sleep 60)`),
    });
    expect(await call(...taken, '-q')).toEqual({ code: 75, stdout: '', stderr: '' });
    expect(await call(...taken, '--force')).toMatchObject({ code: 0 });
    await session.kill();
    expect(await new Claims(locks, { root }).list()).toMatchObject([{ state: 'active' }]);
    const dead = await call('claim', 'add', 'c.ts', ...args, '--agent', 'y', '--session', pid);
    expect(dead).toMatchObject({ code: 64, stderr: expect.stringContaining('--session must be') });
  });

  test.each(['x', '', '-1', '1.5', '99999999999'])('refuses --session %j', async (pid) => {
    const { args } = claimedTree();
    expect(
      await call('claim', 'add', 'a.ts', ...args, '--agent', 'x', `--session=${pid}`),
    ).toMatchObject({
      code: 64,
    });
  });
});
