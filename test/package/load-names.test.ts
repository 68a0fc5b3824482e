import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { testFolder } from '../support/folder.js';
import { ROOT, userEnvironment } from '../support/package-project.js';

// The addon under other names than the package's, and other addons under its
// name. Each test has a copy of what the package holds.

const PREBUILDS = `prebuilds/${process.platform}-${process.arch}`;
const EXACT = `${PREBUILDS}/holdfast.node`;

let folder = '';
let home = '';

beforeEach(() => {
  folder = testFolder();
  home = join(folder, 'node_modules', 'holdfast');
  for (const each of ['dist', 'package.json', EXACT]) {
    cpSync(join(ROOT, each), join(home, each), { recursive: true });
  }
  const find = 'node_modules/node-gyp-build';
  cpSync(join(ROOT, find), join(folder, find), { recursive: true });
});

function move(to: string): void {
  const target = join(home, to);
  mkdirSync(dirname(target), { recursive: true });
  renameSync(join(home, EXACT), target);
}

function node(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', ...words], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 30_000,
    env: userEnvironment(),
  });
  return { status, stdout, stderr };
}

const command = (...flags: string[]) =>
  node(...flags, join(home, 'dist/cli/holdfast.js'), 'run', 'x.lock', 'true');

/** A program with the package; `attempt()` locks, or says why not. */
function program(source: string): string[] {
  const file = join(folder, 'program.mjs');
  const prelude = `
    import Module from 'node:module';
    import { realpathSync } from 'node:fs';
    import { FileLock } from 'holdfast';
    const home = realpathSync(${JSON.stringify(home)});
    const stand = (place, exports) => { Module._cache[home + '/' + place] = { exports }; };
    const attempt = () => {
      try {
        FileLock.acquireSync('x.lock').releaseSync();
        return 'locked';
      } catch ({ code, message }) {
        return code + ': ' + /reason: (.*)/.exec(message)?.[1];
      }
    };
  `;
  writeFileSync(file, prelude + source);
  const { status, stdout, stderr } = node(file);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.trimEnd().split('\n');
}

const LOCKS = 'console.log(attempt());';

describe.each([
  EXACT,
  `${PREBUILDS}/node.napi.node`,
  `${PREBUILDS}/holdfast.node.napi.node`,
  'build/Release/other.node',
  'build/Debug/holdfast.node',
])('an addon at %s', (place) => {
  test('is found by the command and by a program', () => {
    move(place);
    expect(command()).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(program(LOCKS)).toEqual(['locked']);
  });
});

test('an addon of another package is passed over', () => {
  move(`dist/${PREBUILDS}/node.napi.node`);
  mkdirSync(join(home, 'build/Release'), { recursive: true });
  writeFileSync(join(home, 'build/Release/foreign.node'), 'damaged');
  expect(program(LOCKS)).toEqual(['locked']);
  expect(program(`stand('build/Release/foreign.node', {}); ${LOCKS}`)).toEqual(['locked']);
  expect(command()).toMatchObject({ status: 0 });
});

describe('an addon that has not the functions of this version', () => {
  const twice = (exports: string, place = EXACT) =>
    program(`
      stand('${place}', ${exports});
      console.log(attempt());
      console.log(attempt());
      delete Module._cache[home + '/${place}'];
      console.log(attempt());`);

  test('of an older version: says so at each call, until there is another', () => {
    for (const exports of ['{ startWaiting() {} }', '{ startWaiting() {}, results() {} }']) {
      const said = expect.stringMatching(/^ERR_LOCK_UNSUPPORTED: .*of another version of Holdfast/);
      expect(twice(exports)).toEqual([said, said, 'locked']);
    }
  });

  test('whose array cannot be made: the next call tries again', () => {
    const exports = `{ startWaiting() {}, take() {}, begin() {}, beginWhenGranted() {}, identify() {}, peer() {}, results() { throw new Error('no array'); } }`;
    const said = 'ERR_LOCK_UNSUPPORTED: no array';
    expect(twice(exports)).toEqual([said, said, 'locked']);
  });

  test('of another package, under any name', () => {
    const said = expect.stringMatching(/^ERR_LOCK_UNSUPPORTED: .*not an addon of Holdfast/);
    expect(twice('{}')).toEqual([said, said, 'locked']);
    move(`${PREBUILDS}/node.napi.node`);
    expect(twice('{}', `${PREBUILDS}/node.napi.node`)).toEqual([said, said, 'locked']);
  });
});

test('where there is none, the command says first where the package has it', () => {
  move('elsewhere.node');
  const { status, stderr } = command();
  expect(status).toBe(65);
  const [first] = /tried: (.*)/.exec(stderr)?.[1]?.split(', ') ?? [];
  expect(first).toBe(join(home, 'build/Release/holdfast.node'));
});

test('the permission model: the command advises to allow the package', () => {
  const stable = process.allowedNodeEnvironmentFlags.has('--permission');
  const readable = [join(home, 'dist/*'), join(home, 'package.json')];
  const { status, stderr } = command(
    stable ? '--permission' : '--experimental-permission',
    '--allow-addons',
    ...readable.map((each) => `--allow-fs-read=${each}`),
  );
  expect(status).not.toBe(0);
  expect(stderr).toContain(`--allow-fs-read=${join(home, '*')} `);
});
