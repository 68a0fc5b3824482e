import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { updateFile, updateJson } from '../../src/update.js';
import { testFolder } from '../support/folder.js';
import { ARGUMENT_CODES, errorOf } from '../support/refused.js';
import { runScript } from '../support/script.js';
import { NOBODY, needs } from '../support/tools.js';
import { targetFile, UPDATE } from '../support/update.js';

const fn = (): string => 'x';

describe('what is not a file', () => {
  test('a folder is EISDIR, a FIFO, a device and a socket ERR_LOCK_UNSUPPORTED', async () => {
    const folder = testFolder();
    const inside = join(folder, 'folder');
    mkdirSync(inside);
    expect(await errorOf(() => updateFile(inside, fn))).toMatchObject({
      code: 'EISDIR',
      syscall: 'open',
      path: inside,
    });
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const socket = join(folder, 'socket');
    const server = createServer().listen(socket);
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    for (const path of [fifo, socket, '/dev/null']) {
      const error = await errorOf(() => updateFile(path, fn));
      expect(error).toMatchObject({ code: 'ERR_LOCK_UNSUPPORTED', path });
      expect(existsSync(`${path}.lock`)).toBe(false);
    }
    expect(existsSync(`${inside}.lock`)).toBe(false);
  });

  test.each([
    ['', 'ERR_INVALID_ARG_VALUE'],
    ['a\0b', 'ERR_INVALID_ARG_VALUE'],
    ['settings.json/', 'ERR_INVALID_ARG_VALUE'],
    [new URL('file:///tmp/x/'), 'ERR_INVALID_ARG_VALUE'],
    [new URL('http://localhost/x'), 'ERR_INVALID_ARG_TYPE'],
    [5, 'ERR_INVALID_ARG_TYPE'],
    [undefined, 'ERR_INVALID_ARG_TYPE'],
  ])('%j as the path is %s', async (path, code) => {
    expect(ARGUMENT_CODES).toContain(code);
    const lockPath = path as string;
    for (const call of [() => updateFile(lockPath, fn), () => updateJson(lockPath, fn)]) {
      expect(await errorOf(call)).toMatchObject({ code });
    }
    if (path === undefined) return;
    expect(await errorOf(() => updateFile(targetFile(), { lockPath }, fn))).toMatchObject({ code });
  });

  test('a file in place of a folder is ENOTDIR', async () => {
    const path = join(targetFile('a file'), 'x');
    expect(await errorOf(() => updateFile(path, fn))).toMatchObject({ code: 'ENOTDIR' });
  });

  test.each([
    [{ timeout: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ timeout: '1' }, 'ERR_INVALID_ARG_TYPE'],
    [{ durable: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ permissions: 0o1000 }, 'ERR_OUT_OF_RANGE'],
    [{ signal: {} }, 'ERR_INVALID_ARG_TYPE'],
    [{ onWait: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ encoding: 'latin1' }, 'ERR_INVALID_ARG_VALUE'],
    [{ spaces: 2 }, 'ERR_INVALID_ARG_VALUE'],
    [[], 'ERR_INVALID_ARG_TYPE'],
  ])('options %j are refused', async (options, code) => {
    const path = targetFile();
    expect(await errorOf(() => updateFile(path, options as never, fn))).toMatchObject({ code });
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test.each([{ spaces: 11 }, { spaces: '--' }, { encoding: 'buffer' }])(
    'updateJson refuses %j',
    async (options) => {
      const path = targetFile();
      const code = expect.stringMatching(/^ERR_(INVALID_ARG|OUT_OF)/);
      expect(await errorOf(() => updateJson(path, options as never, fn))).toMatchObject({ code });
      expect(await errorOf(() => updateJson(path, undefined as never))).toMatchObject({ code });
      expect(readdirSync(dirname(path))).toEqual([]);
    },
  );

  test('the file itself is not a lock file, by whatever name', async () => {
    const path = targetFile('old');
    const other = join(dirname(path), 'other');
    execFileSync('ln', [path, other]);
    for (const lockPath of [path, other]) {
      expect(await errorOf(() => updateFile(path, { lockPath }, fn))).toMatchObject({
        code: 'ERR_INVALID_ARG_VALUE',
      });
    }
    expect(readFileSync(path, 'utf8')).toBe('old');
  });
});

test('an absolute path, also of bytes or through a link, is found from a deleted folder', async () => {
  const path = targetFile('old');
  symlinkSync('settings.json', `${path}.link`);
  const script = `${UPDATE}
    const gone = fs.mkdtempSync(path);
    process.chdir(gone);
    fs.rmdirSync(gone);
    const paths = [path, Buffer.from(path), path + '.link'];
    for (const each of paths) report(await outcome(() => updateFile(each, (old) => old + '+')));
  `;
  const { reports } = await runScript(path, script);
  expect(reports).toEqual([{ value: 'old+' }, { value: 'old++' }, { value: 'old+++' }]);
});

describe('a link', () => {
  test('stays, and what it leads to is replaced, through any number of them', async () => {
    const folder = testFolder();
    const target = join(folder, 'real', 'settings');
    mkdirSync(dirname(target));
    writeFileSync(target, 'old');
    symlinkSync('real/settings', join(folder, 'relative'));
    symlinkSync(join(folder, 'relative'), join(folder, 'chain'));
    expect(await updateFile(join(folder, 'chain'), (old) => `${old}+`)).toBe('old+');
    expect(readFileSync(target, 'utf8')).toBe('old+');
    expect(lstatSync(target).isFile()).toBe(true);
    expect(readlinkSync(join(folder, 'relative'))).toBe('real/settings');
    expect(readdirSync(folder).sort()).toEqual(['chain', 'real', 'relative']);
    expect(readdirSync(dirname(target)).sort()).toEqual(['settings', 'settings.lock']);
  });

  test('to nothing creates what it leads to, with its folders', async () => {
    const folder = testFolder();
    const link = join(folder, 'link');
    symlinkSync('missing/settings', link);
    expect(await updateFile(link, (old) => `${old}`)).toBe('undefined');
    expect(readlinkSync(link)).toBe('missing/settings');
    expect(readFileSync(join(folder, 'missing', 'settings'), 'utf8')).toBe('undefined');
  });

  test('through a folder that is a link leads where the system says', async () => {
    const folder = realpathSync(testFolder());
    mkdirSync(join(folder, 'far', 'away'), { recursive: true });
    symlinkSync('far/away', join(folder, 'near'));
    symlinkSync('near/../settings', join(folder, 'link'));
    await updateFile(join(folder, 'link'), () => 'new');
    expect(readFileSync(join(folder, 'far', 'settings'), 'utf8')).toBe('new');
    expect(readFileSync(join(folder, 'link'), 'utf8')).toBe('new');
  });

  test.skipIf(process.platform !== 'linux')(
    'to an open file that has no name any more creates none',
    async () => {
      const folder = testFolder();
      const path = join(folder, 'removed');
      const fd = openSync(path, 'w+');
      onTestFinished(() => closeSync(fd));
      expect(await updateFile(`/proc/self/fd/${fd}`, () => 'named')).toBe('named');
      const removed = openSync(path, 'r+');
      onTestFinished(() => closeSync(removed));
      unlinkSync(path);
      unlinkSync(`${path}.lock`);
      const error = await errorOf(() => updateFile(`/proc/self/fd/${removed}`, fn));
      expect(error).toMatchObject({ code: 'ERR_LOCK_UNSUPPORTED' });
      expect(readdirSync(folder)).toEqual([]);
    },
  );

  test('in a circle is ELOOP; forty are followed', async () => {
    const folder = testFolder();
    symlinkSync('b', join(folder, 'a'));
    symlinkSync('a', join(folder, 'b'));
    expect(await errorOf(() => updateFile(join(folder, 'a'), fn))).toMatchObject({ code: 'ELOOP' });
    for (let at = 0; at < 41; at++) symlinkSync(`${at + 1}`, join(folder, `${at}`));
    expect(await updateFile(join(folder, '1'), fn)).toBe('x');
    expect(await errorOf(() => updateFile(join(folder, '0'), fn))).toMatchObject({ code: 'ELOOP' });
  });

  test('to a folder, or to one that is missing, is an error and creates nothing', async () => {
    const folder = testFolder();
    symlinkSync('.', join(folder, 'here'));
    symlinkSync('missing/', join(folder, 'slash'));
    expect(await errorOf(() => updateFile(join(folder, 'here'), fn))).toMatchObject({
      code: 'EISDIR',
    });
    expect(await errorOf(() => updateFile(join(folder, 'slash'), fn))).toMatchObject({
      code: 'ENOENT',
    });
    expect(readdirSync(folder).sort()).toEqual(['here', 'slash']);
  });

  needs('root')(
    'of another user in a folder like /tmp is refused; of the owner of the folder not',
    async () => {
      const folder = testFolder();
      chmodSync(folder, 0o1777);
      const victim = targetFile('victim');
      const link = join(folder, 'link');
      const { code } = await runScript(link, `fs.symlinkSync(args[0], path);`, {
        args: [victim],
        ...NOBODY,
      });
      expect(code).toBe(0);
      expect(await errorOf(() => updateFile(link, fn))).toMatchObject({
        code: 'EACCES',
        path: link,
      });
      expect(readFileSync(victim, 'utf8')).toBe('victim');
      // Root's own link, for another user: the folder is root's.
      chmodSync(dirname(victim), 0o777);
      chownSync(victim, NOBODY.uid, NOBODY.gid);
      symlinkSync(victim, join(folder, 'of-root'));
      const script = `${UPDATE} report(await outcome(() => updateFile(path, () => 'by nobody')));`;
      const { reports } = await runScript(join(folder, 'of-root'), script, NOBODY);
      expect(reports).toEqual([{ value: 'by nobody' }]);
      // Without the sticky bit, who may create links may replace files as well.
      chmodSync(folder, 0o777);
      expect(await updateFile(link, fn)).toBe('x');
    },
  );
});
