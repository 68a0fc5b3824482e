import { chmodSync, readdirSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { COMMAND, call, finish, start } from '../support/command.js';
import { testFolder } from '../support/folder.js';
import { Program } from '../support/program.js';
import { needs } from '../support/tools.js';

interface Diagnosis {
  works: boolean;
  remote: boolean;
  fileSystem: string;
  checks: { what: string; ok: boolean | null; detail: string }[];
  promised: string[];
  notPromised: string[];
}

/** With what the kernel answers to every flock put in its place. */
async function withFlock(answer: string): Promise<{ code: number | null; diagnosis: Diagnosis }> {
  const folder = testFolder();
  const inject = `inject=flock:${answer}`;
  const node = [process.execPath, COMMAND, 'doctor', '--json', folder];
  const program = Program.start('strace', ['-f', '-qq', '-o', '/dev/null', '-e', inject, ...node]);
  const { code, stdout } = await program.end();
  expect(readdirSync(folder)).toEqual([]);
  return { code, diagnosis: JSON.parse(stdout) as Diagnosis };
}

describe('holdfast doctor', () => {
  test('says that locks work in a local folder, how it found out, and leaves nothing', async () => {
    const folder = testFolder();
    const { code, stdout, stderr } = await call('doctor', folder);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('400 of 400 rounds counted');
    expect(stdout).toMatch(/^ok +the lock of a killed holder/m);
    expect(stdout).toMatch(/locks work here\n$/);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('removes what it has made, and nothing that somebody else put there', async () => {
    const folder = testFolder();
    const program = start(['doctor', folder]);
    const own = await made(folder);
    writeFileSync(join(own, 'notes'), 'precious\n');
    const { code } = await program.end();
    expect(code).toBe(0);
    expect(readdirSync(own)).toEqual(['notes']);
    expect(readFileSync(join(own, 'notes'), 'utf8')).toBe('precious\n');
  });

  /** The path of what comes to be in a folder. */
  function made(folder: string): Promise<string> {
    return new Promise((resolve) => {
      const watcher = watch(folder, (_, name) => {
        watcher.close();
        resolve(join(folder, String(name)));
      });
      onTestFinished(() => watcher.close());
    });
  }

  test('--json has it all', async () => {
    const { code, stdout } = await finish(['doctor', '--json', testFolder()]);
    expect(code).toBe(0);
    const diagnosis = JSON.parse(stdout) as Diagnosis;
    expect(diagnosis).toMatchObject({ works: true, remote: false });
    expect(diagnosis.checks.every(({ ok }) => ok === true)).toBe(true);
    expect(diagnosis.promised.length).toBeGreaterThan(0);
    expect(diagnosis.notPromised.length).toBeGreaterThan(0);
  });

  needs('strace')('a file system without flock: 65', async () => {
    const { code, diagnosis } = await withFlock('error=ENOLCK');
    expect(code).toBe(65);
    expect(diagnosis).toMatchObject({ works: false, promised: [] });
  });

  needs('strace')('one that grants a lock to everybody: 65', async () => {
    const { code, diagnosis } = await withFlock('retval=0');
    expect(code).toBe(65);
    expect(diagnosis.checks[0]).toMatchObject({ ok: false, detail: 'both were granted' });
  });

  test.each([[[]], [['a', 'b']], [['--no']]])('%j is 64', async (argv) => {
    expect(await call('doctor', ...argv)).toMatchObject({ code: 64, stdout: '' });
  });

  test('a folder that is not there, or in which nothing can be made, is 73', async () => {
    expect((await call('doctor', join(testFolder(), 'none'))).code).toBe(73);
    expect((await call('doctor', '/proc')).code).toBe(73);
  });

  const mounted = (options: string, before: string, ...words: string[]) => {
    const folder = testFolder();
    const script = `mount -t tmpfs -o ${options} none "$0" && cd "$0" && ${before}; exec "$@"`;
    const doctor = [process.execPath, COMMAND, 'doctor', ...words, folder];
    return Program.start('unshare', ['-m', 'sh', '-c', script, folder, ...doctor]).end();
  };
  const onMounts = needs('root', 'unshare');

  onMounts('a file system that is read-only is 73', async () => {
    const { code, stdout, stderr } = await mounted('size=1m', 'mount -o remount,ro "$0"');
    expect({ code, stdout }).toEqual({ code: 73, stdout: '' });
    expect(stderr).toMatch(/^holdfast: .*EROFS/);
  });

  onMounts('locks work on a full disk', async () => {
    const fill = 'head -c 1048576 /dev/zero >filler 2>/dev/null';
    const { code, stdout, stderr } = await mounted('size=16k', fill, '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { works, checks } = JSON.parse(stdout) as Diagnosis;
    expect(works).toBe(true);
    expect(checks.map(({ ok }) => ok)).toEqual(checks.map(() => true));
  });

  onMounts('where not even a file can be made it is 73, and no verdict', async () => {
    for (const inodes of [2, 3, 4, 5, 6]) {
      const { code, stdout, stderr } = await mounted(`size=1m,nr_inodes=${inodes}`, 'true');
      expect({ code, stdout }).toEqual({ code: 73, stdout: '' });
      expect(stderr).toMatch(/^holdfast: .*ENOSPC/);
    }
  });

  needs('root')('a folder that somebody may not write to is 73', async () => {
    const folder = testFolder();
    chmodSync(folder, 0o755);
    const nobody = { uid: 65_534, gid: 65_534 };
    const { code, stderr } = await finish(['doctor', folder], nobody);
    expect(code).toBe(73);
    expect(stderr).toMatch(/^holdfast: .*EACCES/);
  });

  test('the other process is heard when it cannot go on', async () => {
    const hook = join(testFolder(), 'hook.cjs');
    writeFileSync(hook, "if (process.argv.includes('--peer')) throw new Error('on purpose');");
    const folder = testFolder();
    const env = { ...process.env, NODE_OPTIONS: `--require ${hook}` };
    const { code, stdout } = await finish(['doctor', folder], { env });
    expect(code).toBe(65);
    expect(stdout).toMatch(/FAILED .*the second process has ended .*Error: on purpose/);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('help is no error', async () => {
    expect(await call('doctor', '--help')).toMatchObject({ code: 0, stderr: '' });
  });
});
