import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { installedProject, testWith, userEnvironment } from '../support/package-project.js';
import { failing } from '../support/strace.js';
import { NOBODY, needs } from '../support/tools.js';

// The addon is in the package, and something keeps it from being loaded. Each
// test has a copy of the package, so that it can spoil it.

const ADDON = `prebuilds/${process.platform}-${process.arch}/holdfast.node`;
const NODE22 = [`node-linux-${process.arch}@22.23.3`];

let package_: ReturnType<typeof installedProject>;
let modules = '';
let count = 0;
let folder = '';
/** Of the copy. */
let home = '';

beforeAll(() => {
  package_ = installedProject();
  modules = join(package_.project, 'node_modules');
  // There is a child of another user.
  chmodSync(dirname(package_.project), 0o755);
}, 180_000);
afterAll(() => package_.remove());

beforeEach(() => {
  folder = join(package_.project, `copy-${count++}`);
  home = join(folder, 'node_modules', 'holdfast');
  for (const name of ['holdfast', 'node-gyp-build']) {
    cpSync(join(modules, name), join(folder, 'node_modules', name), { recursive: true });
  }
  mkdirSync(join(folder, 'locks'));
  chmodSync(join(folder, 'locks'), 0o777);
});

interface Failure {
  code: string;
  errno?: number;
  syscall?: string;
  path: string;
  message: string;
  cause?: string;
}

interface Options {
  /** Of Node. */
  flags?: string[];
  node?: string;
  wrap?: string[];
  env?: NodeJS.ProcessEnv;
  uid?: number;
  gid?: number;
}

const PRELUDE = `
  import { execFileSync } from 'node:child_process';
  import fs from 'node:fs';
  import { FileLock, inspectFolder } from 'holdfast';
  const locks = process.argv[2];
  const attempt = () => {
    try {
      FileLock.acquireSync(locks + '/x.lock').releaseSync();
      return 'locked';
    } catch ({ code, errno, syscall, path, message, cause }) {
      return { code, errno, syscall, path, message, cause: cause.code ?? cause.message };
    }
  };
  const said = [];
  const say = (what) => said.push(what);
  process.on('exit', () => fs.writeSync(1, JSON.stringify(said)));
`;

/** What a program with the copied package says. */
function says(source = 'say(attempt());', options: Options = {}): (Failure | string)[] {
  const file = join(folder, 'program.mjs');
  writeFileSync(file, PRELUDE + source);
  const { flags = [], node = process.execPath, wrap = [], env = {}, ...user } = options;
  const words = [...wrap, node, '--no-warnings', ...flags, file, join(folder, 'locks')];
  const [command = '', ...args] = words;
  const { status, stdout, stderr } = spawnSync(command, args, {
    ...user,
    cwd: folder,
    encoding: 'utf8',
    timeout: 30_000,
    killSignal: 'SIGKILL',
    env: { ...userEnvironment(), ...env },
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout);
}

/** `ERR_LOCK_UNSUPPORTED`, and what it advises. */
function advised(said: (Failure | string)[]): string[] {
  expect(said).toMatchObject([
    { code: 'ERR_LOCK_UNSUPPORTED', path: join(folder, 'locks/x.lock') },
  ]);
  const [{ message }] = said as [Failure];
  return message.split('  what to do:\n')[1]?.split('\n') ?? [];
}
const reasonOf = ([failure]: (Failure | string)[]): string =>
  /^ {2}reason: (.*)$/m.exec((failure as Failure).message)?.[1] ?? '';

test('the copy works as it is', () => {
  expect(says()).toEqual(['locked']);
});

/** For a script: an attempt with no descriptor left, and one with some again. */
const WITHOUT_DESCRIPTORS = `
  const open = [];
  try { for (;;) open.push(fs.openSync('/dev/null')); } catch {}
  say(attempt());
  open.forEach((fd) => fs.closeSync(fd));
  say(attempt());
`;

describe('what may pass is the error of the system, and the next call tries again', () => {
  needs('prlimit')('no descriptor is left: EMFILE', () => {
    const said = says(WITHOUT_DESCRIPTORS, { wrap: ['prlimit', '--nofile=200', '--'] });
    const failure = { code: 'EMFILE', errno: -24, syscall: 'dlopen', path: join(home, ADDON) };
    expect(said).toEqual([expect.objectContaining(failure), 'locked']);
    expect((said[0] as Failure).cause).toBe('ERR_DLOPEN_FAILED');
  });

  needs('prlimit')('so also where there is no addon to be found', () => {
    const source = `
      fs.rmSync(${JSON.stringify(join(home, ADDON))});
      ${WITHOUT_DESCRIPTORS}`;
    const said = says(source, { wrap: ['prlimit', '--nofile=200', '--'] });
    expect(said).toMatchObject([{ code: 'EMFILE' }, { code: 'ERR_LOCK_UNSUPPORTED' }]);
  });

  needs('strace')('no memory is left: ENOMEM', () => {
    // Of the mapping alone: a process that has none at all ends by V8.
    const addon = realpathSync(join(home, ADDON));
    const wrap = failing(addon, 'mmap:error=ENOMEM:when=1');
    const failure = { code: 'ENOMEM', errno: -12, syscall: 'dlopen', path: join(home, ADDON) };
    expect(says('say(attempt()); say(attempt());', { wrap })).toEqual([
      expect.objectContaining(failure),
      'locked',
    ]);
  });
});

describe('an addon that this program may not load', () => {
  needs('root')('for its rights: EACCES, and nothing about building', () => {
    chmodSync(join(home, ADDON), 0);
    const said = says(undefined, NOBODY);
    expect(reasonOf(said)).toMatch(/^EACCES: .*holdfast\.node'$/);
    expect(advised(said)).toEqual([expect.stringContaining('read the file')]);
  });

  needs('root')('for the rights of its folder', { tags: ['long'] }, () => {
    chmodSync(join(home, 'prebuilds'), 0o700);
    const said = says(undefined, NOBODY);
    expect(reasonOf(said)).toMatch(/^EACCES: .*holdfast\.node'$/);
    expect(advised(said)).toEqual([expect.stringContaining('enter its folders')]);
  });

  needs('root')('for the rights of what HOLDFAST_PREBUILD names', { tags: ['long'] }, () => {
    mkdirSync(join(folder, 'private'), { mode: 0o700 });
    cpSync(join(home, 'prebuilds'), join(folder, 'private', 'prebuilds'), { recursive: true });
    const env = { HOLDFAST_PREBUILD: join(folder, 'private') };
    expect(says(undefined, { env })).toEqual(['locked']);
    const said = says(undefined, { env, ...NOBODY });
    expect(reasonOf(said)).toMatch(/^EACCES: /);
    expect(advised(said)).toEqual([expect.stringContaining('enter its folders')]);
  });

  needs('root', 'unshare')(
    'from a file system that is mounted with noexec',
    { tags: ['long'] },
    () => {
      // A copy of it there, for a moment.
      const script = `
      mount -t tmpfs -o noexec none "$0" && mkdir -p "$0/$(dirname "$1")" &&
      cp "$0/../prebuild.node" "$0/$1" && shift && exec "$@"`;
      cpSync(join(home, ADDON), join(home, 'prebuild.node'));
      const wrap = ['unshare', '-m', 'sh', '-c', script, join(home, 'prebuilds')];
      const said = says(undefined, { wrap: [...wrap, ADDON.slice('prebuilds/'.length)] });
      expect(reasonOf(said)).toMatch(/noexec/);
      expect(advised(said)).toEqual([expect.stringContaining('HOLDFAST_PREBUILD')]);
    },
  );

  test('with --no-addons', () => {
    const said = says(undefined, { flags: ['--no-addons'] });
    expect(said).toMatchObject([{ cause: 'ERR_DLOPEN_DISABLED' }]);
    expect(advised(said)).toEqual([expect.stringContaining('--no-addons')]);
  });

  test('in a worker with --no-addons, while the rest of the program may', () => {
    const source = `
      import { Worker, isMainThread, parentPort } from 'node:worker_threads';
      if (isMainThread) {
        say(attempt());
        const options = { argv: [locks], execArgv: ['--no-addons'] };
        new Worker(new URL(import.meta.url), options).once('message', say);
      } else {
        process.removeAllListeners('exit');
        parentPort.postMessage(attempt().cause);
      }`;
    expect(says(source)).toEqual(['locked', 'ERR_DLOPEN_DISABLED']);
  });
});

describe('the permission model', { tags: ['long'] }, () => {
  // Its name is one of an experiment on Node 20.
  function works(permission: string, node = process.execPath): void {
    const all = join(folder, '*');
    const without = says(undefined, { node, flags: [permission, `--allow-fs-read=${all}`] });
    expect(without).toMatchObject([{ cause: 'ERR_DLOPEN_DISABLED' }]);
    expect(advised(without)).toEqual([expect.stringContaining('--allow-addons')]);
    const flags = [permission, '--allow-addons', `--allow-fs-read=${all}`];
    expect(says(undefined, { node, flags })).toEqual(['locked']);

    const readable = [
      'program.mjs',
      'node_modules/holdfast/dist/*',
      'node_modules/holdfast/package.json',
    ];
    const some = readable.map((each) => `--allow-fs-read=${join(folder, each)}`);
    const unread = says(undefined, { node, flags: [permission, '--allow-addons', ...some] });
    expect(advised(unread)).toEqual([
      expect.stringContaining(`--allow-fs-read=${join(home, '*')}`),
    ]);
    const addon = `--allow-fs-read=${join(home, 'prebuilds', '*')}`;
    const enough = [permission, '--allow-addons', ...some, addon];
    expect(says(undefined, { node, flags: enough })).toEqual(['locked']);
  }

  test('wants --allow-addons and the right to read the package', () => {
    const stable = process.allowedNodeEnvironmentFlags.has('--permission');
    works(stable ? '--permission' : '--experimental-permission');
  });

  testWith(NODE22, 'on a later Node as well', (tools) => {
    works('--permission', join(tools, `node-linux-${process.arch}`, 'bin', 'node'));
  });
});

describe('an addon that is none', { tags: ['long'] }, () => {
  test('for another processor, or damaged: install it again', () => {
    const other = process.arch === 'x64' ? 'arm64' : 'x64';
    cpSync(join(home, `prebuilds/linux-${other}/holdfast.node`), join(home, ADDON));
    const processor = says();
    expect(processor).toMatchObject([{ cause: 'ERR_DLOPEN_FAILED' }]);
    expect(advised(processor)[0]).toMatch(/install the package again/);
    writeFileSync(join(home, ADDON), 'version https://git-lfs.github.com/spec/v1\n');
    expect(advised(says())[0]).toMatch(/install the package again/);
  });

  test('of a bundle without prebuilds/: nothing about building', () => {
    spawnSync('rm', ['-r', join(home, 'prebuilds')]);
    const said = says();
    expect(advised(said)[0]).toMatch(/bundled/);
    expect(advised(said).join()).not.toMatch(/build:native/);
  });

  test('is an error of inspectFolder too, and not an empty folder', () => {
    spawnSync('rm', ['-r', join(home, 'prebuilds')]);
    const source = `
      fs.writeFileSync(locks + '/x.lock', '');
      for await (const { state } of inspectFolder(locks)) say(state);`;
    const caught = `try { ${source} say('none'); } catch ({ code }) { say(code); }`;
    expect(says(caught)).toEqual(['ERR_LOCK_UNSUPPORTED']);
  });
});
