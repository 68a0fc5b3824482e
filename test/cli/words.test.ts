import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FileLock } from '../../src/lock/file-lock.js';
import { COMMAND, call } from '../support/command.js';
import { lockPath, testFolder } from '../support/folder.js';
import { Program } from '../support/program.js';

describe('names that every object has are no options', () => {
  const names = ['--constructor', '--toString', '--hasOwnProperty', '--__proto__'];
  const commands: [string, (folder: string) => string[]][] = [
    ['run', (folder) => [join(folder, 'x.lock'), 'true']],
    ['next-id', (folder) => [folder]],
    ['elect', (folder) => [folder, 'true']],
    ['status', (folder) => [folder]],
    ['doctor', (folder) => [folder]],
    ['mcp', (folder) => ['--dir', folder]],
    ['claim', (folder) => ['list', '--dir', folder]],
  ];
  for (const [command, words] of commands) {
    test.each(names.flatMap((name) => [name, `${name}=1`]))(`${command} %s`, async (option) => {
      const [first = '', ...rest] = words(testFolder());
      const argv = command === 'claim' ? [first, option, ...rest] : [option, first, ...rest];
      const { code, stderr } = await call(command, ...argv);
      expect(code).toBe(64);
      expect(stderr).toContain(option.split('=')[0]);
    });
  }

  test.each(['constructor', '__proto__', 'toString'])('nor commands: %s', async (word) => {
    expect((await call(word)).code).toBe(64);
    expect((await call('help', word)).code).toBe(64);
    expect((await call('claim', word)).code).toBe(64);
  });

  test('but data may be called so', async () => {
    const path = lockPath();
    const data = ['__proto__=x', 'constructor=y', 'toString=z'].flatMap((each) => ['--data', each]);
    const status = ['sh', '-c', `"${process.execPath}" "${COMMAND}" status --json "$0"`, path];
    const { stdout } = await Program.start(process.execPath, [
      ...[COMMAND, 'run', ...data, path, ...status],
    ]).end();
    const [{ record }] = JSON.parse(stdout);
    expect(Object.entries(record.data)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
      ['toString', 'z'],
    ]);
  });
});

test('help says which character escapes', async () => {
  expect((await call('claim', 'add', '--help')).stdout).toContain(' \\ escapes.');
});

describe('in a folder that was removed', () => {
  const cases: [number, string[]][] = [
    [73, ['run', 'x.lock', 'true']],
    [73, ['run', '-n', 'sub/x.lock', 'true']],
    [73, ['run', '--instance', 'it', 'x.lock', 'true']],
    [73, ['run', '-u', '.', 'true']],
    [73, ['run', '--slots', '2', 'slots', 'true']],
    [73, ['run', '--also', 'y.lock', 'x.lock', 'true']],
    [65, ['status', 'x.lock']],
    [65, ['status', '--json', '.']],
    [73, ['claim', 'list', '--dir', 'claims']],
    [73, ['claim', 'add', '--dir', 'claims', '--agent', 'a', 'x']],
    [73, ['claim', 'check', '--dir', 'ABSOLUTE', '--agent', 'a', 'x']],
    [73, ['claim', 'plan', '/dev/null', '--dir', 'claims']],
    [73, ['claim', 'guard', '--staged', '--dir', 'claims']],
    [73, ['next-id', '.']],
    [73, ['elect', 'members', 'true']],
    [73, ['elect', 'status', 'members']],
    [73, ['doctor', '.']],
  ];
  const fromGone = (words: string[], env: NodeJS.ProcessEnv = {}) => {
    const script = 'cd "$0" && rmdir "$0" && exec "$@"';
    const argv = ['-c', script, testFolder(), process.execPath, COMMAND, ...words];
    return Program.start('sh', argv, { env: { ...process.env, ...env } }).end();
  };

  test.each(cases)('%d: %j', async (code, words) => {
    const given = words.map((word) => (word === 'ABSOLUTE' ? testFolder() : word));
    const end = await fromGone(given);
    expect(end).toMatchObject({ code, stderr: expect.stringContaining('working directory') });
    expect(end.stderr).not.toContain('uv_cwd');
  });

  // Messages name the command as a shell in the working directory finds it.
  test.each([
    [64, ['bogus']],
    [64, ['run', '--bogus']],
    [65, ['run', '199']],
  ])('%d, for another reason: %j', async (code, words) => {
    const end = await fromGone(words);
    expect(end).toMatchObject({ code, stderr: expect.not.stringContaining('working directory') });
  });

  test('a lock that is held is refused there', async () => {
    const path = lockPath();
    const lock = FileLock.acquireSync(path);
    onTestFinished(() => lock.releaseSync());
    expect((await fromGone(['run', '-n', path, 'true'])).code).toBe(75);
  });

  test('nor is a relative HOLDFAST_CLAIMS found there', async () => {
    const end = await fromGone(['claim', 'list'], { HOLDFAST_CLAIMS: 'claims' });
    expect(end).toMatchObject({ code: 73, stderr: expect.stringContaining('working directory') });
  });

  test('an absolute FILE can be locked', async () => {
    const path = lockPath();
    expect((await fromGone(['run', path, 'sh', '-c', 'exit 3'])).code).toBe(3);
    expect((await fromGone(['status', path])).code).toBe(0);
    expect((await fromGone(['doctor', testFolder()])).code).toBe(0);
  });
});

describe('a descriptor that the caller has not opened', () => {
  // Node has some of these numbers itself.
  // Node has some of these numbers itself.
  const NUMBERS = Array.from({ length: 20 }, (_, at) => at + 3);
  test.for(NUMBERS)('%d is not open', { tags: ['long'] }, (fd) => refusesClosed(fd));

  test('3 and 200 are not open', async () => {
    await Promise.all([3, 200].map(refusesClosed));
  });

  async function refusesClosed(fd: number): Promise<void> {
    const words = [process.execPath, COMMAND, 'run', '-n', String(fd)];
    const script = `exec ${fd}>&-; exec "$@"`;
    const end = await Program.start('bash', ['-c', script, 'bash', ...words]).end();
    expect(end).toMatchObject({ code: 65, stderr: expect.stringContaining('not an open file') });
    expect(end.stderr).toContain(`${fd}>FILE`);
  }
});
