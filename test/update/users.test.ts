import { chmodSync, chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { updateFile } from '../../src/update.js';
import { testFolder } from '../support/folder.js';
import { errorOf } from '../support/refused.js';
import { runScript, type ScriptOptions } from '../support/script.js';
import { NOBODY, needs } from '../support/tools.js';
import { targetFile, UPDATE } from '../support/update.js';

const OTHER = { uid: 65533, gid: 65533 };
const GROUP = 65532;

const mode = (path: string): number => statSync(path).mode & 0o7777;
const owner = (path: string): number[] => [statSync(path).uid, statSync(path).gid];

/** Appends `+` in another process. */
async function append(path: string, user: ScriptOptions, before = ''): Promise<unknown> {
  const script = `${UPDATE} ${before}
    report(await outcome(() => updateFile(path, (old = '') => old + '+')));`;
  const { reports, stderr } = await runScript(path, script, user);
  expect(stderr).toBe('');
  return reports[0];
}

/** As a member of GROUP, with an umask; `setgroups` is of root alone. */
const asMember = (uid: number, umask: number): string =>
  `process.umask(${umask}); process.setgroups([${GROUP}]); process.setgid(${uid}); process.setuid(${uid});`;

/** In a folder that all may write into. */
function shared(content: string, permissions: number): string {
  const path = targetFile(content);
  chmodSync(dirname(path), 0o777);
  chmodSync(path, permissions);
  return path;
}

describe('permissions', () => {
  test.each([0o600, 0o640, 0o444, 0o755, 0o4711])('%o are kept', async (permissions) => {
    const path = targetFile('old');
    chmodSync(path, permissions);
    // Root may write into all.
    if ((permissions & 0o200) === 0 && process.getuid?.() !== 0) return;
    await updateFile(path, () => 'new');
    expect(mode(path)).toBe(permissions);
  });

  test('of a new file are those asked for, less umask; those of the lock file fit', async () => {
    for (const [options, umask, expected, lock] of [
      [{}, 0o022, 0o644, 0o644],
      [{ permissions: 0o600 }, 0o022, 0o600, 0o600],
      [{ permissions: 0o664 }, 0o002, 0o664, 0o664],
    ] as const) {
      const path = targetFile();
      const script = `${UPDATE} process.umask(${umask});
        await updateFile(path, JSON.parse(args[0]), () => 'new');`;
      await runScript(path, script, { args: [JSON.stringify(options)] });
      expect([mode(path), mode(`${path}.lock`)]).toEqual([expected, lock]);
    }
  });

  test('of the lock file are those of the group and the others of the file', async () => {
    for (const permissions of [0o600, 0o640, 0o664, 0o666]) {
      const path = shared('old', permissions);
      await updateFile(path, () => 'new');
      expect(mode(`${path}.lock`)).toBe(0o600 | (permissions & 0o066));
    }
  });

  test('of a lock file that was named, and was there, stay as they were', async () => {
    const path = shared('old', 0o664);
    const [there, missing] = [`${path}.there`, `${path}.missing`];
    writeFileSync(there, '', { mode: 0o600 });
    for (const lockPath of [there, missing]) await updateFile(path, { lockPath }, () => lockPath);
    expect([mode(there), mode(missing)]).toEqual([0o600, 0o664]);
  });

  needs('root')('who may not write into the file is refused, as by a write in place', async () => {
    const path = shared('old', 0o644);
    expect(await append(path, NOBODY)).toMatchObject({ code: 'EACCES', syscall: 'access', path });
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(owner(path)).toEqual([process.getuid?.(), process.getgid?.()]);
  });
});

describe('two users', () => {
  needs('root')('who share a file by its group can both update it', async () => {
    const path = shared('', 0o664);
    chownSync(path, NOBODY.uid, GROUP);
    for (const uid of [NOBODY.uid, OTHER.uid, NOBODY.uid]) {
      // The umask would shut out the group.
      expect(await append(path, {}, asMember(uid, 0o077))).toHaveProperty('value');
      expect([mode(path), owner(path)]).toEqual([0o664, [uid, GROUP]]);
    }
    expect(readFileSync(path, 'utf8')).toBe('+++');
    expect([mode(`${path}.lock`), owner(`${path}.lock`)]).toEqual([0o664, [NOBODY.uid, GROUP]]);
  });

  needs('root')('of other groups: EPERM, and nothing is written', async () => {
    const path = shared('old', 0o666);
    chownSync(path, NOBODY.uid, GROUP);
    expect(await append(path, OTHER)).toMatchObject({ code: 'EPERM', syscall: 'chown', path });
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  needs('root')('root keeps the owner, who can go on with the lock file', async () => {
    const path = shared('old', 0o600);
    chownSync(path, NOBODY.uid, NOBODY.gid);
    await updateFile(path, () => 'by root');
    expect([mode(path), owner(path)]).toEqual([0o600, [NOBODY.uid, NOBODY.gid]]);
    expect(await append(path, NOBODY)).toEqual({ value: 'by root+' });
  });

  needs('root')('a set-user-ID bit does not pass to another user', async () => {
    const path = shared('old', 0o4775);
    chownSync(path, NOBODY.uid, GROUP);
    chmodSync(path, 0o4775);
    expect(await append(path, {}, asMember(OTHER.uid, 0))).toEqual({ value: 'old+' });
    expect([mode(path), owner(path)]).toEqual([0o775, [OTHER.uid, GROUP]]);
  });
});

describe('what a killed update has left', () => {
  const name = '.holdfast-0123456789abcdef.new';
  const mark = (file: string): string => `{"holdfast":{"token":0,"temporary":"${file}"}}\n`;

  test('is removed by the next one, and the lock file is empty again', async () => {
    const path = targetFile('old');
    const left = join(dirname(path), name);
    writeFileSync(left, 'half');
    writeFileSync(`${path}.lock`, mark(name));
    await updateFile(path, () => undefined);
    expect(await errorOf(() => statSync(left))).toMatchObject({ code: 'ENOENT' });
    expect(readFileSync(`${path}.lock`, 'utf8')).toBe('');
  });

  test.each(['settings.json', '../settings.json', '.holdfast-x.new', 'a/../x', ''])(
    'but no file that is named %j there',
    async (file) => {
      const path = targetFile('old');
      writeFileSync(`${path}.lock`, mark(file));
      await updateFile(path, (old) => `${old}+`);
      expect(readFileSync(path, 'utf8')).toBe('old+');
    },
  );

  test('nor a folder, nor a file that is not named', async () => {
    const path = targetFile('old');
    const other = join(dirname(path), '.holdfast-fedcba9876543210.new');
    mkdirSync(join(dirname(path), name));
    writeFileSync(other, 'of another update');
    writeFileSync(`${path}.lock`, mark(name));
    await updateFile(path, () => 'new');
    expect(statSync(join(dirname(path), name)).isDirectory()).toBe(true);
    expect(readFileSync(other, 'utf8')).toBe('of another update');
  });

  needs('root')('nor, in a folder like /tmp, that of a third user', async () => {
    const folder = testFolder();
    chmodSync(folder, 0o1777);
    const path = join(folder, 'settings');
    const left = join(folder, name);
    for (const [uid, stays] of [
      [OTHER.uid, true],
      [NOBODY.uid, false],
    ] as const) {
      writeFileSync(path, 'old');
      chownSync(path, NOBODY.uid, NOBODY.gid);
      writeFileSync(left, 'half');
      chownSync(left, uid, uid);
      writeFileSync(`${path}.lock`, mark(name));
      await updateFile(path, () => 'new');
      expect(statSync(left, { throwIfNoEntry: false }) !== undefined).toBe(stays);
    }
  });
});
