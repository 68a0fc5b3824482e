import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileLock, type Holder, inspect } from '../../src/index.js';
import { InstanceLock } from '../../src/instance/instance-lock.js';
import { COMMAND, onTerminal, start } from '../support/command.js';
import { lockPath } from '../support/folder.js';
import { isRunning } from '../support/instance.js';
import { Program } from '../support/program.js';
import { errorOf } from '../support/refused.js';
import { needs } from '../support/tools.js';

const NOBODY = 65534;
const force = { how: 'terminate', grace: 300 } as const;

/** A service of somebody's that takes what it is sent over a socket, and keeps it. */
const SERVICE = `
import os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
server.listen()
print('listens', flush=True)
client, _ = server.accept()
data, fds, _, _ = socket.recv_fds(client, 1, 1)
print('took', len(fds), flush=True)
sys.stdin.read()
`;
/** Locks a file that it may read, and sends the descriptor. */
const SHARER = `
import fcntl, os, socket, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
fcntl.flock(fd, fcntl.LOCK_EX)
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[2])
socket.send_fds(client, [b'x'], [fd])
print('sent', flush=True)
sys.stdin.read()
`;

interface Shared {
  path: string;
  service: Program;
  sharer: Program;
}

/** A lock that nobody's program took, and a process of root's shares. */
async function sharedWithRoot(permissions = 0o644): Promise<Shared> {
  const path = lockPath();
  chmodSync(dirname(path), 0o777);
  FileLock.acquireSync(path).releaseSync();
  chmodSync(path, permissions);
  const socket = `${path}.socket`;
  const service = Program.start('python3', ['-c', SERVICE, socket]);
  await service.says('listens');
  const user = { uid: NOBODY, gid: NOBODY };
  const sharer = Program.start('python3', ['-c', SHARER, path, socket], user);
  await sharer.says('sent');
  await service.says('took 1');
  return { path, service, sharer };
}

describe('a lock that a process of another user shares', () => {
  needs('python3', 'root')('is not that process’s: nobody is signalled', async () => {
    const { path, service, sharer } = await sharedWithRoot();
    const asked: unknown[] = [];
    const confirm = (): boolean => asked.push(1) > 0;
    const error = await errorOf(() => InstanceLock.acquire(path, { force: { ...force, confirm } }));
    expect(error).toMatchObject({
      code: 'ERR_LOCK_FORCE',
      holder: { pid: service.pid, verified: true },
      message: expect.stringMatching(/uid 0\b.*uid 65534\b.*--uid/s),
    });
    expect(asked).toEqual([]);
    expect([isRunning(service), isRunning(sharer)]).toEqual([true, true]);
    expect((await inspect(path)).holders).toHaveLength(2);
  });

  needs('python3', 'root')('nor when who took it has ended', async () => {
    const { path, service, sharer } = await sharedWithRoot();
    await sharer.kill();
    const error = await errorOf(() => InstanceLock.acquire(path, { force }));
    expect(error).toMatchObject({
      code: 'ERR_LOCK_FORCE',
      holder: { pid: service.pid },
      message: expect.stringMatching(/unknown which user took/),
    });
    expect(isRunning(service)).toBe(true);
  });

  needs('python3', 'root')('unless that user is named', async () => {
    const { path, service, sharer } = await sharedWithRoot();
    const named = (uid: number) => InstanceLock.acquire(path, { force: { ...force, uid } });
    expect(await errorOf(() => named(1234))).toMatchObject({ code: 'ERR_LOCK_FORCE' });
    // Both would have to end, and each is of another user.
    expect(await errorOf(() => named(0))).toMatchObject({ holder: { pid: sharer.pid } });
    expect(await errorOf(() => named(NOBODY))).toMatchObject({ holder: { pid: service.pid } });
    expect([isRunning(service), isRunning(sharer)]).toEqual([true, true]);
    await sharer.kill();
    using lock = await named(0);
    expect(lock.held).toBe(true);
    expect(await service.exited).toMatchObject({ signal: 'SIGTERM' });
  });

  needs('python3', 'root')('and the command says so', async () => {
    const { path, service } = await sharedWithRoot();
    const run = ['run', '--instance', 'a', '--terminate', '--yes'];
    const refused = await start([...run, path, 'true']).end();
    expect(refused).toMatchObject({ code: 65, stderr: expect.stringContaining('--uid') });
    const named = await start([...run, '--uid', '0', path, 'true']).end();
    expect(named.code).toBe(65);
    expect(isRunning(service)).toBe(true);
  });
});

describe('the user that took it', () => {
  needs('python3', 'root')('may be another than the one who asks', async () => {
    const path = lockPath();
    chmodSync(dirname(path), 0o777);
    const holder = Program.start('python3', ['-c', HOLDER, path], { uid: NOBODY, gid: NOBODY });
    await holder.says('held');
    using lock = await InstanceLock.acquire(path, { force });
    expect(lock.held).toBe(true);
    expect(await holder.exited).toMatchObject({ signal: 'SIGTERM' });
  });

  needs('python3', 'root')('cannot be determined for a program that acts for two', async () => {
    const path = lockPath();
    const holder = Program.start('python3', ['-c', `${HOLDER_OF_TWO}${HOLDER}`, path]);
    await holder.says('held');
    expect(await errorOf(() => InstanceLock.acquire(path, { force }))).toMatchObject({
      code: 'ERR_LOCK_FORCE',
      holder: { pid: holder.pid },
    });
    expect(isRunning(holder)).toBe(true);
  });

  test('is asked for by a number', async () => {
    const path = lockPath();
    for (const uid of [-1, 1.5, Number.NaN, 2 ** 32]) {
      const error = await errorOf(() => InstanceLock.acquire(path, { force: { ...force, uid } }));
      expect(error).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    }
    for (const uid of ['root', '-1', '1.5', '']) {
      const run = ['run', '--instance', 'a', '--terminate', '--yes', '--uid', uid];
      expect((await start([...run, path, 'true']).end()).code).toBe(64);
    }
    const alone = await start(['run', '--instance', 'a', '--uid', '0', path, 'true']).end();
    expect(alone.code).toBe(64);
  });
});

const HOLDER = `
import fcntl, os, sys
file = open(sys.argv[1], 'a')
fcntl.flock(file, fcntl.LOCK_EX)
print('held', flush=True)
sys.stdin.read()
`;
const HOLDER_OF_TWO = `
import os
os.setresuid(65534, 0, 0)
`;

describe('the question', () => {
  test('shows every process that would be signalled', async () => {
    const path = lockPath();
    const holder = start(['run', path, 'sh', '-c', 'echo runs; exec cat']);
    await holder.says('runs');
    const asked: (number | null)[][] = [];
    const confirm = (first: Holder, all: Holder[]): boolean => {
      asked.push([first, ...all].map(({ pid }) => pid));
      return false;
    };
    await errorOf(() => InstanceLock.acquire(path, { force: { ...force, confirm } }));
    const pids = (await inspect(path)).holders.map(({ pid }) => pid);
    expect(pids).toContain(holder.pid);
    expect(pids).toHaveLength(2);
    expect(asked).toEqual([[pids[0], ...pids]]);
  });

  needs('python3')('of the command has a line for each', async () => {
    const path = lockPath();
    const holder = start(['run', path, 'sh', '-c', 'echo runs; exec cat']);
    await holder.says('runs');
    const { holders } = await inspect(path);
    expect(holders).toHaveLength(2);
    const words = ['run', '--instance', 'a', '--terminate', path, 'true'];
    const asking = onTerminal(process.execPath, COMMAND, ...words);
    await asking.says('Continue?');
    for (const { pid } of holders) expect(asking.stdout).toContain(`ending pid ${pid} `);
    asking.process.stdin?.write('n\n');
    expect((await asking.exited).code).toBe(75);
    expect(isRunning(holder)).toBe(true);
  });
});
