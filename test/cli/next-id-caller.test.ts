import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMMAND, finish, start } from '../support/command.js';
import { Fifo } from '../support/fifo.js';
import { testFolder } from '../support/folder.js';
import { counterIn } from '../support/next-id-program.js';
import { type End, Program } from '../support/program.js';

const NEXT_ID = [process.execPath, COMMAND, 'next-id'];

/** `holdfast next-id …` from a shell that has done `before`. */
const inShell = (before: string, ...args: string[]): Program =>
  Program.start('sh', ['-c', `${before}; exec "$@"`, 'sh', ...NEXT_ID, ...args]);

async function isFree(folder: string, id: number): Promise<void> {
  expect(counterIn(folder)).toBe(null);
  expect(await finish(['next-id', folder])).toMatchObject({ code: 0, stdout: `${id}\n` });
}

describe('an id that cannot be printed is free', () => {
  test('standard output is full: 74', async () => {
    const folder = testFolder();
    const { code, stderr } = await inShell('exec >/dev/full', folder).end();
    expect(code).toBe(74);
    expect(stderr).toMatch(/^holdfast: .+\n$/);
    await isFree(folder, 1);
  });

  test('nobody reads the pipe: 141, as of SIGPIPE', async () => {
    const folder = testFolder();
    const program = inShell('read -r _', folder);
    const { stdout, stdin } = program.process;
    stdout?.destroy();
    if (stdout !== null) await once(stdout, 'close');
    stdin?.write('go\n');
    const { code, stderr }: End = await program.exited;
    expect({ code, stderr }).toEqual({ code: 141, stderr: '' });
    await isFree(folder, 1);
  });
});

test('a standard output that is closed is /dev/null to Node, and the id is given', async () => {
  const folder = testFolder();
  expect(await inShell('exec >&-', folder).end()).toMatchObject({ code: 0, stderr: '' });
  expect(counterIn(folder)).toBe('1\n');
});

describe('a folder whose name is not UTF-8', () => {
  test('is found as . and by its name, and none is made that looks like it', async () => {
    const base = testFolder();
    execFileSync('sh', ['-c', 'cd "$0" && mkdir "$(printf "caf\\351")"', base]);
    const inside = `cd "${base}" && cd "$(printf 'caf\\351')"`;
    execFileSync('sh', ['-c', `${inside} && : > task-7`]);
    expect(await inShell(inside, '.').end()).toMatchObject({ code: 0, stdout: '8\n', stderr: '' });
    expect(await inShell(inside, '.', '--with', base).end()).toMatchObject({ stdout: '9\n' });
    writeFileSync(join(base, 'task-20'), '');
    const named = `cd "${base}" && set -- "$@" "$(printf 'caf\\351')"`;
    expect(await inShell(named).end()).toMatchObject({ code: 0, stdout: '10\n', stderr: '' });
    expect(await inShell(`cd "${base}"`, '.').end()).toMatchObject({ stdout: '21\n' });
    expect(readdirSync(base, 'buffer').filter((name) => name.includes('caf'))).toHaveLength(1);
  });
});

describe('a command with several folders', () => {
  test('whose holdfast was killed holds the locks of all of them', async () => {
    const [one, two] = [testFolder(), testFolder()];
    const fifo = new Fifo();
    const script = 'echo "works $$"; read -r _ <"$0"';
    const holdfast = start(['next-id', one, '--with', two, 'sh', '-c', script, fifo.path]);
    await holdfast.says('works ');
    await holdfast.kill('SIGKILL');
    for (const folder of [one, two]) {
      expect(await finish(['next-id', '-w', '0', folder])).toMatchObject({ code: 75 });
    }
    fifo.write('go\n');
    expect(await finish(['next-id', two])).toMatchObject({ code: 0, stdout: '1\n' });
  });
});
