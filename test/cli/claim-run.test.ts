import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type ClaimStatus, Claims } from '../../src/claims.js';
import { until } from '../support/census.js';
import { claimedTree } from '../support/claims-setting.js';
import { call, finish, start } from '../support/command.js';
import { idle } from '../support/processes.js';
import type { Program } from '../support/program.js';
import { inTwoSizes } from '../support/sizes.js';

const onLinux = test.runIf(process.platform === 'linux');
// Says its pid and then does nothing.
const STAYS = ['sh', '-c', 'echo $$; exec sleep 60'];

interface Running {
  program: Program;
  claims: Claims;
  pid: number;
  locks: string;
  args: string[];
}

/** `holdfast claim run`, with a command that stays. */
async function running(command = STAYS): Promise<Running> {
  const { root, locks, args } = claimedTree();
  const program = start(['claim', 'run', ...args, '--agent', 'x', 'src/', '--', ...command]);
  await program.says('\n');
  const claims = new Claims(locks, { root });
  const pid = Number(program.stdout.trim().split('\n')[0]);
  return { program, claims, pid, locks, args };
}

async function claimOf(claims: Claims): Promise<ClaimStatus | undefined> {
  return (await claims.list()).find(({ agent }) => agent === 'x');
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('holdfast claim run', () => {
  test('claims, runs the command with its names, and releases', async () => {
    const { root, locks, args } = claimedTree();
    const script = `cat out/locks/x.lock > copy; echo "$HOLDFAST_AGENT $HOLDFAST_CLAIMS" > names; exit 7`;
    const ran = await finish(
      [
        'claim',
        'run',
        ...args,
        '--agent',
        'x',
        'src/',
        'a.ts',
        '--task',
        'T',
        '--',
        'sh',
        '-c',
        script,
      ],
      { cwd: root },
    );
    expect(ran).toMatchObject({ code: 7, stdout: '', stderr: '' });
    expect(JSON.parse(readFileSync(join(root, 'copy'), 'utf8'))).toMatchObject({
      agent: 'x',
      directories: ['src/'],
      files: ['a.ts'],
      task_description: 'T',
    });
    expect(readFileSync(join(root, 'names'), 'utf8')).toBe(`x ${locks}\n`);
    expect(await new Claims(locks, { root }).list()).toEqual([]);
  });

  onLinux('binds the claim to the command: it is free once that is killed', async () => {
    const { program, claims, pid } = await running();
    await until(async () => (await claimOf(claims))?.session?.pid === pid);
    expect(await claimOf(claims)).toMatchObject({ state: 'active', bound: null });
    process.kill(pid, 'SIGKILL');
    expect(await program.exited).toMatchObject({ code: 137 });
    expect(await claims.list()).toEqual([]);
  });

  onLinux('killed itself, leaves the claim to the command', async () => {
    const { program, claims, pid } = await running();
    await until(async () => (await claimOf(claims))?.session?.pid === pid);
    await program.kill();
    expect(isRunning(pid)).toBe(true);
    expect(await claimOf(claims)).toMatchObject({ state: 'active', session: { pid } });
    await expect(claims.claim({ agent: 'y', files: ['src/a.ts'] })).rejects.toMatchObject({
      code: 'ERR_CLAIM_CONFLICT',
    });
    process.kill(pid, 'SIGKILL');
    await until(async () => (await claimOf(claims))?.state === 'orphaned');
    await claims.claim({ agent: 'y', files: ['src/a.ts'] });
  });

  onLinux('is free once the command has ended, whatever that has left behind', async () => {
    const { program, claims } = await running([
      'sh',
      '-c',
      'sleep 60 >/dev/null 2>&1 & echo $!; read line',
    ]);
    const child = Number(program.stdout.trim());
    expect(await program.end()).toMatchObject({ code: 1 });
    expect(isRunning(child)).toBe(true);
    expect(await claims.list()).toEqual([]);
  });

  test('passes signals on', async () => {
    const { program } = await running([
      'sh',
      '-c',
      'trap "exit 5" TERM; echo $$; while :; do sleep 0.05; done',
    ]);
    expect(await program.kill('SIGTERM')).toMatchObject({ code: 5 });
  });

  test('refused, does not run the command', async () => {
    const { root, args } = claimedTree();
    await call('claim', 'add', 'src/a.ts', ...args, '--agent', 'y');
    const marker = join(root, 'ran');
    const words = ['src/', '--', 'touch', marker];
    const refused = await call('claim', 'run', ...args, '--agent', 'x', ...words);
    expect(refused).toMatchObject({ code: 75, stdout: '' });
    expect(refused.stderr).toContain('src/a.ts');
    expect(refused.stderr).toContain('command not run');
    expect(await call('claim', 'run', '-q', '-E', '9', ...args, '--agent', 'x', ...words)).toEqual({
      code: 9,
      stdout: '',
      stderr: '',
    });
    expect(existsSync(marker)).toBe(false);
  });

  test('waits for as long as it is told', async () => {
    const { root, locks, args } = claimedTree();
    const held = await new Claims(locks, { root }).claim({ agent: 'y', files: ['src/a.ts'] });
    const program = start([
      'claim',
      'run',
      '-w',
      '20',
      ...args,
      '--agent',
      'x',
      'src/',
      '--',
      'true',
    ]);
    await program.says('waiting', 'stderr');
    await held.release();
    expect(await program.exited).toMatchObject({ code: 0 });
  });

  onLinux('of a name that another session has is refused, and taken by force', async () => {
    const { root, locks, args } = claimedTree();
    const session = await idle();
    await new Claims(locks, { root }).claim({ agent: 'x', files: ['b.ts'], session });
    const words = [...args, '--agent', 'x', 'src/', '--', 'true'];
    expect(await call('claim', 'run', ...words)).toMatchObject({
      code: 75,
      stderr: expect.stringContaining('--force'),
    });
    expect(await call('claim', 'run', '--force', ...words)).toMatchObject({ code: 0 });
  });

  test('inside of another one of the same name is refused: it would end the outer claim', async () => {
    const { root, locks, args } = claimedTree();
    const inner = `"$0" "$1" claim run --root "${root}" b.ts -- true; echo $?; "$0" "$1" claim list`;
    const { COMMAND } = await import('../support/command.js');
    const ran = await finish(
      [
        'claim',
        'run',
        ...args,
        '--agent',
        'x',
        'src/',
        '--',
        'sh',
        '-c',
        inner,
        process.execPath,
        COMMAND,
      ],
      { cwd: root },
    );
    expect(ran.stdout).toMatch(/^75\n/);
    expect(ran.stdout).toContain('src/');
    expect(await new Claims(locks, { root }).list()).toEqual([]);
  });

  test('releases when the command cannot be run', async () => {
    const { root, locks, args } = claimedTree();
    const ran = await call('claim', 'run', ...args, '--agent', 'x', 'src/', '--', './no-such');
    expect(ran).toMatchObject({ code: 69, stderr: expect.stringContaining('no-such') });
    expect(await new Claims(locks, { root }).list()).toEqual([]);
  });

  test.each([
    [['--agent', 'x', 'src/'], 'COMMAND'],
    [['--agent', 'x', 'src/', '--'], 'COMMAND'],
    [['--agent', 'x', '--', 'true'], 'PATH'],
    [['src/', '--', 'true'], 'agent'],
    [['--agent', 'x', '--json', 'src/', '--', 'true'], '--json'],
  ])('%j is wrong usage', async (words, said) => {
    const { args } = claimedTree();
    expect(await call('claim', 'run', ...args, ...words)).toMatchObject({
      code: 64,
      stderr: expect.stringContaining(said),
    });
  });

  onLinux('gives the command its words byte by byte, and takes paths as text', async () => {
    const { root, args } = claimedTree();
    const script = `"$0" "$1" claim run ${args.map((each) => `"${each}"`).join(' ')} --agent x src/ -- printf %s "$(printf 'a\\377b')"`;
    const { COMMAND } = await import('../support/command.js');
    const { spawnSync } = await import('node:child_process');
    const ran = spawnSync('sh', ['-c', script, process.execPath, COMMAND], { cwd: root });
    expect([...ran.stdout]).toEqual([0x61, 0xff, 0x62]);
    const bad = script.replace('src/', `"$(printf 'a\\377b')"`);
    expect(spawnSync('sh', ['-c', bad, process.execPath, COMMAND], { cwd: root }).status).toBe(64);
  });
});

inTwoSizes(
  (rounds) =>
    `killed at any point, the command never runs unclaimed and nothing stays claimed (${rounds} rounds)`,
  { short: 6, long: 120 },
  async (rounds) => {
    for (let round = 0; round < rounds; round++) {
      const { root, locks, args } = claimedTree();
      const marker = join(root, 'pid');
      const command = ['sh', '-c', `echo $$ > "$0.new"; mv "$0.new" "$0"; exec sleep 60`, marker];
      const program = start(['claim', 'run', ...args, '--agent', 'x', 'src/', '--', ...command]);
      await sleep(60 + ((round * 97) % 120));
      await program.kill();
      const claims = new Claims(locks, { root });
      let state: string | undefined;
      // A command that has just started may not have written its pid yet.
      await until(async () => {
        state = (await claimOf(claims))?.state;
        return state !== 'active' || existsSync(marker);
      });
      if (state === 'active') {
        process.kill(Number(readFileSync(marker, 'utf8')), 'SIGKILL');
        await until(async () => (await claimOf(claims))?.state === 'orphaned');
      } else {
        await sleep(50);
        expect(existsSync(marker)).toBe(false);
      }
    }
  },
);
