import { existsSync, linkSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { call, finish, start } from '../support/command.js';
import { Fifo } from '../support/fifo.js';
import { testFolder } from '../support/folder.js';
import { isFree } from '../support/several.js';
import { needs } from '../support/tools.js';

function three(): { folder: string; a: string; b: string; c: string } {
  const folder = testFolder();
  return { folder, a: join(folder, 'a'), b: join(folder, 'b'), c: join(folder, 'c') };
}

describe('run --also', () => {
  test('holds all locks while the command runs, each with a record, and the token is of FILE', async () => {
    const { folder, a, b, c } = three();
    const script = 'cat b c a; echo $HOLDFAST_TOKEN';
    const words = ['--data', 'k=v', '--also', b, '--also', c, a, 'sh', '-c', script];
    const { code, stdout } = await finish(['run', ...words], { cwd: folder });
    expect(code).toBe(0);
    const [ofB, ofC, ofA, token] = stdout.split('\n').map((line) => line && JSON.parse(line));
    for (const record of [ofA, ofB, ofC]) expect(record).toMatchObject({ pid: ofA.pid, k: 'v' });
    expect(ofA.holdfast.token).toBe(token);
    expect(ofB.holdfast.token).not.toBe(token);
    expect([a, b, c].map(isFree)).toEqual([true, true, true]);
    for (const path of [a, b, c]) {
      expect(JSON.parse(readFileSync(path, 'utf8'))).not.toHaveProperty('pid');
    }
  });

  test('with one file under two paths is one lock; under two names, 65', async () => {
    const { folder, a, b } = three();
    mkdirSync(join(folder, 'x'));
    symlinkSync('.', join(folder, 'link'));
    const others = ['x/../a', 'link/a', a].flatMap((path) => ['--also', path]);
    const script = 'ls -l /proc/self/fd | grep -c "/a$"';
    expect(
      await finish(['run', '-n', ...others, 'a', 'sh', '-c', script], { cwd: folder }),
    ).toMatchObject({ code: 0, stdout: '1\n' });
    linkSync(a, b);
    const { code, stderr } = await call('run', '--also', a, b, 'true');
    expect({ code, stderr }).toEqual({ code: 65, stderr: expect.stringContaining(b) });
    expect([a, b].map(isFree)).toEqual([true, true]);
  });

  test.each([
    ['-n', 'b is held by pid'],
    ['-w 30ms', 'gave up after 30 ms: b is held by pid'],
  ])(
    '%s: one that is held is 75, named as typed, and the others are free',
    async (option, said) => {
      const { folder, a, b, c } = three();
      using _held = FileLock.acquireSync(b);
      const words = [...option.split(' '), '--also', 'c', '--also', 'b', 'a', 'true'];
      const { code, stderr } = await finish(['run', ...words], { cwd: folder });
      expect({ code, stderr }).toEqual({ code: 75, stderr: expect.stringContaining(said) });
      expect(stderr).toContain('holdfast status b');
      expect([isFree(a), existsSync(c)]).toEqual([true, false]);
      const quiet = await finish(['run', '-q', '-E', '9', ...words], { cwd: folder });
      expect(quiet).toMatchObject({ code: 9, stderr: '' });
    },
  );

  test('what it waits for is said, one after the other', async () => {
    const { folder, a, b, c } = three();
    const [first, second] = [FileLock.acquireSync(a), FileLock.acquireSync(b)];
    // Named in another order than they are locked.
    const words = ['--also', 'a', '--also', 'b', 'c', 'echo', 'ran'];
    const holdfast = start(['run', ...words], { cwd: folder });
    await holdfast.says('for a, held by', 'stderr');
    expect(isFree(c)).toBe(true);
    first.releaseSync();
    await holdfast.says('for b, held by', 'stderr');
    expect(isFree(a)).toBe(false);
    second.releaseSync();
    expect(await holdfast.end()).toMatchObject({ code: 0, stdout: 'ran\n' });
    expect(holdfast.stderr.split('\n').map((line) => line.slice(10, 20))).toEqual([
      'waiting 0:',
      'acquired a',
      'waiting 0:',
      'acquired b',
      '',
    ]);
  });

  needs('flock')('-s shares them all', async () => {
    const { a, b } = three();
    const script = 'flock -n -s "$0" true && ! flock -n -x "$0" true';
    expect(await call('run', '-s', '--also', b, a, 'sh', '-c', script, b)).toMatchObject({
      code: 0,
    });
  });

  test.each([[[]], [['-F']]])(
    '%j: whose holdfast was killed, the command holds all',
    async (how) => {
      const { a, b, c } = three();
      const fifo = new Fifo();
      const script = 'echo "works $$"; read -r _ <"$0"';
      const words = [...how, '--also', c, '--also', b, a, 'sh', '-c', script, fifo.path];
      const holdfast = start(['run', ...words]);
      await holdfast.says('works ');
      const isInPlace = holdfast.stdout === `works ${holdfast.pid}\n`;
      expect(isInPlace).toBe(how.length > 0);
      if (!isInPlace) await holdfast.kill();
      expect([a, b, c].map(isFree)).toEqual([false, false, false]);
      if (isInPlace) await holdfast.kill();
      else fifo.write('go\n');
      for (const path of [a, b, c]) (await FileLock.acquire(path)).releaseSync();
    },
  );

  test('-o: the command inherits none of them', async () => {
    const { folder, a, b } = three();
    const script = 'ls -l /proc/self/fd | grep -c "/[ab]$"';
    const words = ['-o', '--also', b, a, 'sh', '-c', script];
    expect(await finish(['run', ...words], { cwd: folder })).toMatchObject({ stdout: '0\n' });
  });

  needs('bash')('leaves the descriptors of the caller to the command', async () => {
    const { folder } = three();
    // Those that holdfast would get for the locks.
    const numbers = [3, 4, 5, 16, 17, 18, 19, 20, 21, 22];
    const passed = numbers.map((number) => `${number}>l${number}`).join(' ');
    const written = numbers.map((number) => `echo ${number} >&${number}`).join('; ');
    const command = `exec node "$0" run --also b --also c a bash -c '${written}' ${passed}`;
    const { COMMAND } = await import('../support/command.js');
    const { Program } = await import('../support/program.js');
    const program = Program.start('bash', ['-c', command, COMMAND], { cwd: folder });
    expect(await program.end()).toMatchObject({ code: 0, stderr: '' });
    for (const number of numbers) {
      expect(readFileSync(join(folder, `l${number}`), 'utf8')).toBe(`${number}\n`);
    }
  });

  test.each([
    [['--also', 'b', '9']],
    [['--also']],
    [['-u', '--also', 'b', 'a', 'true']],
    [['--instance', 'x', '--also', 'b', 'a', 'true']],
    [['--slots', '2', '--also', 'b', 'a', 'true']],
    [['--also', 'etcd://h/b', 'a', 'true']],
    [['--also', 'b', 'postgres://h/d#a', 'true']],
  ])('%j is wrong usage', async (words) => {
    const folder = testFolder();
    const { code, stderr } = await finish(['run', ...words], { cwd: folder });
    expect({ code, stderr }).toEqual({ code: 64, stderr: expect.stringContaining('--also') });
    expect(existsSync(join(folder, 'a'))).toBe(false);
  });

  test.each([
    [['--also', '', 'a', 'true']],
    [['--also', 'missing/', 'a', 'true']],
    [['--also', 'link', 'a', 'true']],
    [['--also', 'dangling/b', 'a', 'true']],
  ])('%j cannot be locked: 73, and the others are free', async (words) => {
    const folder = testFolder();
    symlinkSync('a', join(folder, 'link'));
    symlinkSync('nowhere', join(folder, 'dangling'));
    expect(await finish(['run', ...words], { cwd: folder })).toMatchObject({ code: 73 });
    expect(isFree(join(folder, 'a'))).toBe(true);
  });
});

test('where the addon starts no programs, the command inherits all locks as well', async () => {
  const { a, b, c } = three();
  expect(await call('run', a, 'true')).toMatchObject({ code: 0 });
  const { platform } = process;
  Object.defineProperty(process, 'platform', { value: 'darwin' });
  try {
    const script = 'ls -l /proc/self/fd >"$0"';
    const called = call('run', '--also', b, '--also', c, a, 'sh', '-c', script, `${a}.fds`);
    expect(await called).toMatchObject({ code: 0 });
  } finally {
    Object.defineProperty(process, 'platform', { value: platform });
  }
  const open = readFileSync(`${a}.fds`, 'utf8');
  for (const path of [a, b, c]) expect(open).toContain(`-> ${path}\n`);
});
