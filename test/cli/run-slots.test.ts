import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Slots } from '../../src/slots.js';
import { until } from '../support/census.js';
import { COMMAND, call, finish, onTerminal, start } from '../support/command.js';
import { testFolder } from '../support/folder.js';
import { isAlive } from '../support/kernel.js';
import { inQueue, SlotsPeer, waitsForSlots } from '../support/slots-peer.js';
import { needs } from '../support/tools.js';

const SILENT = { stdout: '', stderr: '' };

describe('run --slots', () => {
  test('runs the command with a slot, and tells it the number and the token', async () => {
    const folder = join(testFolder(), 'new', 'slots');
    await using _first = await new Slots(folder, { slots: 2 }).acquire();
    const words = [
      'run',
      '--slots',
      '2',
      `${folder}/`,
      '-c',
      'echo $HOLDFAST_SLOT $HOLDFAST_TOKEN',
    ];
    const { code, stdout, stderr } = await finish(words);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [number, token] = stdout.trim().split(' ').map(Number);
    expect(number).toBe(2);
    expect(token).toBeGreaterThan(0);
    expect(readdirSync(folder).sort()).toEqual(['1.lock', '2.lock']);
    expect(JSON.parse(readFileSync(join(folder, '2.lock'), 'utf8'))).not.toHaveProperty('pid');
  });

  test('exits as the command does', async () => {
    const folder = testFolder();
    const run = ['run', '--slots', '1', folder];
    expect(await call(...run, 'sh', '-c', 'exit 3')).toMatchObject({ code: 3 });
    expect(await call(...run, 'no-such-command')).toMatchObject({ code: 69 });
    expect(await call('run', '--slots', '1', '/proc/none', 'true')).toMatchObject({ code: 73 });
    expect(await call('run', '--slots', '1', '', 'true')).toMatchObject({ code: 73 });
  });

  test('names the file in the folder that cannot be a slot', async () => {
    const folder = testFolder();
    symlinkSync('elsewhere', join(folder, '1.lock'));
    const link = await call('run', '--slots', '1', folder, 'true');
    expect(link).toMatchObject({ code: 73, stderr: expect.stringContaining(`'${folder}/1.lock'`) });
    execFileSync('mkfifo', [join(folder, '2.lock')]);
    const words = ['run', '--slots', '2', '-n', folder, 'true'];
    rmSync(join(folder, '1.lock'));
    await using _first = await new Slots(folder, { slots: 1 }).acquire();
    const fifo = await call(...words);
    expect(fifo).toMatchObject({ code: 65, stderr: expect.stringContaining(`${folder}/2.lock `) });
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const noFolder = await call('run', '--slots', '1', file, 'true');
    expect(noFolder).toMatchObject({ code: 73, stderr: expect.stringContaining(`'${file}'`) });
  });

  test('-F turns into the command, which holds the slot', async () => {
    const folder = testFolder();
    const words = ['run', '-F', '--slots', '1', folder, 'sh', '-c', 'echo $HOLDFAST_SLOT; read x'];
    const program = start(words);
    await program.says('1\n');
    const slots = new Slots(folder, { slots: 1 });
    expect(slots.tryAcquire()).toBeNull();
    expect(await program.end()).toMatchObject({ code: 1, stderr: '' });
    slots.tryAcquire()?.releaseSync();
  });

  test('-o does not pass the descriptor on', async () => {
    const folder = testFolder();
    const list = 'ls -l /proc/self/fd | grep -c 1.lock';
    for (const [options, count] of [
      [[], '1\n'],
      [['-o'], '0\n'],
    ] as const) {
      const words = ['run', ...options, '--slots', '1', folder, '-c', list];
      expect((await finish(words)).stdout).toBe(count);
    }
  });

  test('after kill -9 the slot is taken for as long as the command runs', async () => {
    const folder = testFolder();
    const job = 'echo $$; exec sleep 60';
    const program = start(['run', '--slots', '1', folder, 'sh', '-c', job]);
    await program.says('\n');
    const pid = Number(program.stdout);
    await program.kill('SIGKILL');
    expect(isAlive(pid)).toBe(true);
    const slots = new Slots(folder, { slots: 1 });
    expect(slots.tryAcquire()).toBeNull();
    process.kill(pid, 'SIGKILL');
    await using slot = await slots.acquire();
    expect(slot.number).toBe(1);
  });

  test('waits for a slot, and says so', async () => {
    const folder = testFolder();
    const slot = await new Slots(folder, { slots: 1 }).acquire();
    const program = start(['run', '--slots', '1', folder, 'echo', 'done']);
    await program.says(`held by pid ${process.pid}`, 'stderr');
    await until(() => waitsForSlots(folder, 1));
    slot.releaseSync();
    const { code, stdout, stderr } = await program.end();
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'done\n' });
    expect(stderr).toContain('acquired the slot of ');
  });

  needs('python3')('on a terminal, with how many are ahead', async () => {
    const folder = testFolder();
    await using _slot = await new Slots(folder, { slots: 1 }).acquire();
    const peer = await SlotsPeer.start();
    await peer.becomesFirst('a', folder, 1);
    const program = onTerminal(process.execPath, COMMAND, 'run', '--slots', '1', folder, 'true');
    await program.says('1 ahead');
  });

  test('is refused with 75, and names the holders', async () => {
    const folder = testFolder();
    const peer = await SlotsPeer.start();
    await peer.acquire('a', folder, 2);
    await using _slot = await new Slots(folder, { slots: 2 }).acquire();
    for (const options of [['-n'], ['-w', '20ms']]) {
      const refused = await call('run', ...options, '--slots', '2', folder, 'true');
      expect(refused).toMatchObject({ code: 75, stdout: '' });
      for (const pid of [peer.pid, process.pid]) expect(refused.stderr).toContain(`pid ${pid} `);
      expect(refused.stderr).toContain(`holdfast status ${folder}`);
      const quiet = await call('run', '-q', '-E', '9', ...options, '--slots', '2', folder, 'true');
      expect(quiet).toEqual({ code: 9, ...SILENT });
    }
  });

  test.each([
    [['-s', '--slots', '2', 'DIR', 'true'], '--shared'],
    [['--slots', '2', '--instance', 'it', 'DIR', 'true'], '--instance'],
    [['-u', '--slots', '2', 'DIR', 'true'], '--unlock'],
    [['--slots', '2', '9'], 'descriptor'],
    [['--slots', '2', 'etcd://host/name', 'true'], 'URL'],
    [['--slots', '2', 'postgres://host/db#name', 'true'], 'URL'],
    [['--slots', '0', 'DIR', 'true'], '0'],
    [['--slots', '257', 'DIR', 'true'], '257'],
    [['--slots', '2.5', 'DIR', 'true'], '2.5'],
    [['--slots', '', 'DIR', 'true'], '--slots'],
  ])('%j is wrong usage', async (words, reason) => {
    const folder = join(testFolder(), 'slots');
    const argv = words.map((word) => (word === 'DIR' ? folder : word));
    const { code, stderr } = await call('run', ...argv);
    expect(code).toBe(64);
    expect(stderr).toContain(reason);
    expect(existsSync(folder)).toBe(false);
  });
});

describe('status of a folder of slots', () => {
  test('counts each waiter once, and shows the queue', async () => {
    const folder = testFolder();
    const slots = new Slots(folder, { slots: 2 });
    await using _one = await slots.acquire();
    await using _two = await slots.acquire();
    const [first, second] = (await SlotsPeer.startMany(2)) as [SlotsPeer, SlotsPeer];
    await first.becomesFirst('a', folder, 2);
    await second.queues('a', folder, 2);
    expect(inQueue(folder)).toBe(1);
    const json = JSON.parse((await call('status', '--json', folder)).stdout);
    expect(json).toMatchObject([
      { state: 'held', holders: [{ pid: process.pid }], waiters: [] },
      { state: 'held', holders: [{ pid: process.pid }], waiters: [] },
      { state: 'held', holders: [{ pid: first.pid }], waiters: [first.pid, second.pid] },
    ]);
    const { stdout } = await call('status', folder);
    expect(stdout).toMatch(new RegExp(`^queue\\.lock +queue +- +- +2 +.*pid ${first.pid} `, 'm'));
    expect(stdout).toMatch(new RegExp(`^2\\.lock +held +${process.pid} .* - `, 'm'));
  });

  test('of a folder that only looks so, changes nothing', async () => {
    const folder = testFolder();
    mkdirSync(join(folder, 'sub'));
    const peer = await SlotsPeer.start();
    await peer.acquire('a', folder, 1);
    const run = start(['run', join(folder, 'queue.lock'), 'sh', '-c', 'echo got; read x']);
    await run.says('got');
    const json = JSON.parse((await call('status', '--json', folder)).stdout);
    expect(json).toMatchObject([{ waiters: [] }, { state: 'held', waiters: [] }]);
    expect((await call('status', folder)).stdout).toMatch(/^queue\.lock +held/m);
    await run.end();
  });
});
