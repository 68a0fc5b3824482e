// @module-tag long
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import { attempt, installedProject, run, testWith } from '../support/package-project.js';

const ESBUILD = ['esbuild@0.28.2'];

// Every module, and locks of two kinds. Without await at its top: for CommonJS.
const PROGRAM = `
import { FileLock, inspect } from 'holdfast';
import { InstanceLock } from 'holdfast/instance';
import { Claims } from 'holdfast/claims';
import { withNextId } from 'holdfast/next-id';
import { Election } from 'holdfast/election';
import { updateJson } from 'holdfast/update';
import { withSlot } from 'holdfast/slots';
import { memoryLocker } from 'holdfast/testing';
import { postgresLocker } from 'holdfast/postgres';
import { etcdLocker } from 'holdfast/etcd';

async function main() {
  const lock = FileLock.acquireSync('x.lock');
  const { state } = await inspect('x.lock');
  lock.releaseSync();
  (await InstanceLock.acquireOrSend('y.lock', 1, { onMessage() {} })).lock.releaseSync();
  const claim = await new Claims('claims', { root: '.' }).claim({ agent: 'a', files: ['b'] });
  const { id } = await withNextId('ids', () => {});
  const updated = await updateJson('settings.json', () => ({ a: 1 }));
  const election = await Election.join('election');
  await election.whenPrimary();
  await election.leave();
  await withSlot('slots', { slots: 1 }, () => {});
  await memoryLocker().acquire('z.lock');
  const none = etcdLocker({ endpoints: 'http://127.0.0.1:1' });
  await none[Symbol.asyncDispose]();
  const connect = 'postgres://127.0.0.1:1/x';
  const { code } = await postgresLocker({ connect }).acquire('x').catch((error) => error);
  console.log(state, claim.covers('b'), id, updated.a, code);
  await claim.release();
}
main();
`;
// There is no pg, in the bundle neither.
const SAID = 'held true 1 1 ERR_LOCK_UNSUPPORTED\n';

let package_: ReturnType<typeof installedProject>;
let project = '';
let out = '';
let count = 0;

beforeAll(() => {
  package_ = installedProject();
  ({ project } = package_);
  writeFileSync(join(project, 'app.mjs'), PROGRAM);
}, 180_000);
afterAll(() => package_.remove());

beforeEach(() => {
  // Beside the project: nothing is found through its node_modules by chance.
  out = join(project, '..', `out-${count++}`);
  mkdirSync(out);
});

function bundle(folder: string, format: 'esm' | 'cjs', file: string, ...more: string[]): void {
  const fixed = ['app.mjs', '--bundle', '--platform=node', '--log-level=warning'];
  const esbuild = join(folder, '.bin', 'esbuild');
  const ran = attempt(project, esbuild, [
    ...fixed,
    `--format=${format}`,
    `--outfile=${file}`,
    ...more,
  ]);
  expect(ran).toEqual({ status: 0, stdout: '', stderr: '' });
}

/** Each run in a folder where nothing has been locked yet. */
function node(file: string, env: NodeJS.ProcessEnv = {}): string {
  const cwd = mkdtempSync(join(out, 'cwd-'));
  return run(cwd, process.execPath, [file], env);
}
const prebuilds = (): string => join(project, 'node_modules', 'holdfast', 'prebuilds');

testWith(ESBUILD, 'as an external of a bundle', (folder) => {
  for (const format of ['esm', 'cjs'] as const) {
    const file = join(project, 'out', `app.${format === 'esm' ? 'mjs' : 'cjs'}`);
    bundle(folder, format, file, '--external:holdfast', '--external:holdfast/*');
    expect(readFileSync(file, 'utf8').length).toBeLessThan(5000);
    expect(node(file)).toBe(SAID);
  }
});

testWith(ESBUILD, 'in a bundle, with prebuilds/ beside its folder', (folder) => {
  const file = join(out, 'dist', 'app.mjs');
  bundle(folder, 'esm', file);
  cpSync(prebuilds(), join(out, 'prebuilds'), { recursive: true });
  expect(node(file)).toBe(SAID);
});

testWith(ESBUILD, 'in a bundle, with HOLDFAST_PREBUILD', (folder) => {
  const file = join(out, 'app.mjs');
  const elsewhere = join(out, 'elsewhere');
  bundle(folder, 'esm', file);
  cpSync(prebuilds(), join(elsewhere, 'prebuilds'), { recursive: true });
  expect(node(file, { HOLDFAST_PREBUILD: elsewhere })).toBe(SAID);
});

testWith(ESBUILD, 'in a bundle that is CommonJS, which has no import.meta.url', (folder) => {
  const file = join(out, 'dist', 'app.cjs');
  bundle(folder, 'cjs', file);
  cpSync(prebuilds(), join(out, 'prebuilds'), { recursive: true });
  expect(node(file)).toBe(SAID);
});

testWith(ESBUILD, 'in a bundle in which the place is defined, as was documented', (folder) => {
  const file = join(out, 'dist', 'app.cjs');
  const url = "require('node:url').pathToFileURL(__filename).href";
  const banner = `--banner:js=const bundleUrl = ${url};`;
  bundle(folder, 'cjs', file, '--define:import.meta.url=bundleUrl', banner);
  cpSync(prebuilds(), join(out, 'prebuilds'), { recursive: true });
  expect(node(file)).toBe(SAID);
});

testWith(ESBUILD, 'a bundle without the addon says what to do, at the first lock', (folder) => {
  const file = join(out, 'dist', 'app.mjs');
  bundle(folder, 'esm', file);
  renameSync(file, join(out, 'dist', 'other.mjs'));
  const { status, stderr } = attempt(out, process.execPath, [join(out, 'dist', 'other.mjs')]);
  expect(status).toBe(1);
  expect(stderr).toContain('ERR_LOCK_UNSUPPORTED');
  expect(stderr).toContain(join(out, 'prebuilds', `${process.platform}-${process.arch}`));
  expect(stderr).toContain('HOLDFAST_PREBUILD');
});
