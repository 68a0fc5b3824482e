// @module-tag long
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { etcdForFile } from '../support/etcd-server.js';
import { copyOf, installedProject, ROOT, run } from '../support/package-project.js';
import { postgresOfFile } from '../support/postgres.js';
import { needs } from '../support/tools.js';

// The locks of servers, in a project that has no addon: who uses them alone
// needs none. And no pg, unless a test brings it.

let package_: ReturnType<typeof installedProject>;
let project = '';
let count = 0;

beforeAll(() => {
  package_ = installedProject();
  ({ project } = package_);
  rmSync(join(project, 'node_modules', 'holdfast', 'prebuilds'), { recursive: true });
}, 180_000);
afterAll(() => package_.remove());
beforeEach(() => rmSync(join(project, 'node_modules', 'pg'), { force: true }));

const bringPg = (): void =>
  symlinkSync(join(ROOT, 'node_modules', 'pg'), join(project, 'node_modules', 'pg'));

const server = postgresOfFile();
const etcd = etcdForFile();

interface Loaded {
  /** The modules, without those of Node. */
  modules: string[];
  /** Files that dlopen(3) has opened. */
  addons: string[];
  said: unknown;
}

/** Each `say`s one thing, and then what it has loaded. */
function program(source: string): Loaded {
  const number = count++;
  const log = JSON.stringify(join(project, `loaded-${number}`));
  const hooks = `
    import { appendFileSync } from 'node:fs';
    export async function load(url, context, next) {
      if (!url.startsWith('node:')) appendFileSync(${log}, url + ' ');
      return next(url, context);
    }`;
  const prelude = `
    import { readFileSync, writeFileSync } from 'node:fs';
    import { register } from 'node:module';
    writeFileSync(${log}, '');
    register('data:text/javascript,' + ${JSON.stringify(encodeURIComponent(hooks))});
    let said = null;
    const say = (value) => { said = value; };
    const codeOf = ({ code, path, message }) => ({ code, path, message });`;
  const end = `
    const { sharedObjects } = process.report.getReport();
    const modules = readFileSync(${log}, 'utf8').split(' ').filter((url) => url !== '');
    console.log(JSON.stringify({ modules, addons: sharedObjects.filter((each) => each.endsWith('.node')), said }));`;
  const file = join(project, `program-${number}.mjs`);
  writeFileSync(file, prelude + source + end);
  // A place where there is no addon either.
  const env = { HOLDFAST_PREBUILD: join(project, 'nothing') };
  return JSON.parse(run(project, process.execPath, [file], env));
}

const named = ({ modules }: Loaded, what: RegExp): string[] =>
  modules.map((url) => url.replace(/.*\/node_modules\//, '')).filter((url) => what.test(url));

test.each(['', '/instance', '/claims', '/next-id', '/election', '/update', '/slots', '/testing'])(
  'holdfast%s loads no engine, and no pg',
  (subpath) => {
    bringPg();
    const loaded = program(`say(Object.keys(await import('holdfast${subpath}')).length);`);
    expect(loaded.said).toBeGreaterThan(0);
    expect(named(loaded, /core\.js$/)).toEqual(['holdfast/dist/core.js']);
    expect(named(loaded, /postgres|etcd|\bpg\b/)).toEqual([]);
    expect(loaded.addons).toEqual([]);
  },
);

test('neither engine loads the other, or pg, when it is imported', () => {
  bringPg();
  const postgres = program(`
    const { postgresLocker } = await import('holdfast/postgres');
    await postgresLocker({ connect: 'postgres://127.0.0.1/x' })[Symbol.asyncDispose]();`);
  expect(named(postgres, /postgres|etcd|\bpg\b/)).toEqual(['holdfast/dist/postgres.js']);
  const etcd = program(`
    const { etcdLocker } = await import('holdfast/etcd');
    await etcdLocker({ endpoints: 'http://127.0.0.1:1' })[Symbol.asyncDispose]();`);
  expect(named(etcd, /postgres|etcd|\bpg\b/)).toEqual(['holdfast/dist/etcd.js']);
  expect([...postgres.addons, ...etcd.addons]).toEqual([]);
});

test('without pg, the first lock says what to install', () => {
  const { said } = program(`
    const { postgresLocker } = await import('holdfast/postgres');
    const locker = postgresLocker({ connect: 'postgres://127.0.0.1:1/x' });
    await locker.acquire('x').catch((error) => say(codeOf(error)));`);
  const message = expect.stringContaining('npm install pg');
  expect(said).toEqual({ code: 'ERR_LOCK_UNSUPPORTED', path: 'x', message });
});

const LOCKS = `
  const { withLock } = await import('holdfast');
  const first = await locker.acquire('x');
  const error = await locker.acquire('x', { timeout: 0 }).catch(codeOf);
  await first.release();
  const token = await withLock('x', { locker }, (lock) => lock.token);
  const files = await withLock('x.lock', () => 'locked').catch(codeOf);
  say([error.code, token > first.token, files.code]);
  await locker[Symbol.asyncDispose]();`;
/** The locks of files have missed the addon, the others have not. */
const SAID = ['ERR_LOCK_HELD', true, 'ERR_LOCK_UNSUPPORTED'];

needs('postgres')('locks of PostgreSQL need no addon', () => {
  bringPg();
  const { said, addons } = program(`
    const { postgresLocker } = await import('holdfast/postgres');
    const locker = postgresLocker({ connect: ${JSON.stringify(server().url)} });${LOCKS}`);
  expect(said).toEqual(SAID);
  expect(addons).toEqual([]);
});

needs('etcd')('locks of etcd need no addon, and nothing beside the package', () => {
  const loaded = program(`
    const { etcdLocker } = await import('holdfast/etcd');
    const locker = etcdLocker({ endpoints: ${JSON.stringify(etcd.endpoints)} });${LOCKS}`);
  expect(loaded).toMatchObject({ said: SAID, addons: [] });
  expect(named(loaded, /^(?!holdfast\/|data:|file:)/)).toEqual([]);
});

needs('etcd')('a lock of one copy of the package is known to another', () => {
  copyOf(project, 'other-holdfast');
  const { said } = program(`
    const { etcdLocker } = await import('holdfast/etcd');
    const { isLockError, withLock } = await import('other-holdfast');
    const locker = etcdLocker({ endpoints: ${JSON.stringify(etcd.endpoints)} });
    await withLock('x', { locker }, async () => {
      const error = await locker.acquire('x', { timeout: 0 }).catch((error) => error);
      say([error.code, isLockError(error, 'ERR_LOCK_HELD')]);
    });
    await locker[Symbol.asyncDispose]();`);
  expect(said).toEqual(['ERR_LOCK_HELD', true]);
});
