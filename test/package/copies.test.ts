// @module-tag long
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { attempt, copyOf, installedProject, run } from '../support/package-project.js';

let package_: ReturnType<typeof installedProject>;
let project = '';

beforeAll(() => {
  package_ = installedProject();
  ({ project } = package_);
  copyOf(project, 'other-holdfast');
}, 180_000);
afterAll(() => package_.remove());

let count = 0;
/** Each says what it found, as JSON. */
function program(source: string): unknown {
  const file = join(project, `program-${count++}.mjs`);
  const prelude = `
    import * as one from 'holdfast';
    import * as two from 'other-holdfast';
    if (one.FileLock === two.FileLock) throw new Error('one copy and not two');
    const codeOf = (promise) => promise.then(() => null, (error) => error.code);
    const say = (value) => console.log(JSON.stringify(value));\n`;
  writeFileSync(file, prelude + source);
  return JSON.parse(run(project, process.execPath, [file]));
}

test('two copies in one process exclude each other', () => {
  const said = program(`
    const lock = one.FileLock.acquireSync('a.lock');
    const refused = two.FileLock.tryAcquire('a.lock') === null;
    const timeout = await codeOf(two.FileLock.acquire('a.lock', { timeout: 30 }));
    const [holder] = (await two.inspect('a.lock')).holders;
    const next = two.FileLock.acquire('a.lock');
    lock.releaseSync();
    const { token } = await next;
    say([refused, timeout, holder.self, holder.verified, token > lock.token]);`);
  expect(said).toEqual([true, 'ERR_LOCK_TIMEOUT', true, true, true]);
});

test('an error of one copy is known to the other', () => {
  const said = program(
    `
    const { AlreadyRunningError, InstanceLock } = await import('holdfast/instance');
    const other = await import('other-holdfast/instance');
    const instance = await InstanceLock.acquire('b.lock', { data: { port: 1 } });
    const error = await other.InstanceLock.acquire('b.lock').catch((reason) => reason);
    say([
      one.isLockError(error), two.isLockError(error, 'ERR_LOCK_HELD'),
      one.isLockError(error, 'ERR_LOCK_LOST'), one.isLockError(new Error('x')),
      error instanceof AlreadyRunningError, error instanceof other.AlreadyRunningError,
      error.data.port,
    ]);
    instance.releaseSync();`,
  );
  expect(said).toEqual([true, true, false, false, false, true, 1]);
});

test('claims of two copies see each other', () => {
  const said = program(`
    const { Claims } = await import('holdfast/claims');
    const other = await import('other-holdfast/claims');
    const ours = new Claims('claims', { root: '.' });
    const theirs = new other.Claims('claims', { root: '.' });
    const claim = await ours.claim({ agent: 'a', directories: ['app/'], bind: true });
    const refused = await theirs.claim({ agent: 'b', files: ['app/x.ts'] }).catch((e) => e);
    const known = one.isLockError(refused, 'ERR_CLAIM_CONFLICT');
    const next = theirs.claim({ agent: 'b', files: ['app/x.ts'] }, { timeout: 10_000 });
    await claim.release();
    say([known, refused.conflicts[0].agents, (await next).agent, (await ours.list()).length]);
    await (await next).release();`);
  expect(said).toEqual([true, ['b', 'a'], 'b', 1]);
});

test('members of an election are of either copy', () => {
  const said = program(`
    const { Election } = await import('holdfast/election');
    const other = await import('other-holdfast/election');
    const first = await Election.join('election', { id: 'a' });
    await first.whenPrimary();
    const second = await other.Election.join('election', { id: 'b' });
    const taken = await codeOf(other.Election.join('election', { id: 'a' }));
    const members = (await second.members()).map(({ id, primary }) => [id, primary]);
    await first.leave();
    await second.whenPrimary();
    say([taken, members, first.isPrimary, second.term > first.term]);
    await second.leave();`);
  expect(said).toEqual([
    'ERR_LOCK_HELD',
    [
      ['a', true],
      ['b', false],
    ],
    false,
    true,
  ]);
});

test('numbers that two copies give out are given out once', () => {
  const said = program(`
    const { withNextId } = await import('holdfast/next-id');
    const other = await import('other-holdfast/next-id');
    const all = await Promise.all(
      [withNextId, other.withNextId, withNextId, other.withNextId].map((next) =>
        next('ids', () => {}).then(({ id }) => id)));
    say(all.toSorted());`);
  expect(said).toEqual([1, 2, 3, 4]);
});

test('on a platform without an addon the first lock says how to build, and the import does not fail', () => {
  const file = join(project, 'unknown.mjs');
  writeFileSync(
    file,
    `Object.defineProperty(process, 'platform', { value: 'plan9' });
     const { FileLock } = await import('holdfast');
     await (await import('holdfast/testing')).memoryLocker().acquire('x.lock');
     try { FileLock.acquireSync('x.lock'); } catch (e) { console.log(e.code, e.message); }`,
  );
  const { status, stdout } = attempt(project, process.execPath, [file]);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^ERR_LOCK_UNSUPPORTED /);
  expect(stdout).toContain(`plan9-${process.arch}`);
  expect(stdout).toContain('npm run build:native');
  expect(stdout).toContain('set HOLDFAST_PREBUILD to the folder');
});

test('an addon of one’s own is found by HOLDFAST_PREBUILD, and a wrong one is refused', () => {
  const file = join(project, 'own.mjs');
  writeFileSync(
    file,
    `import { FileLock } from 'holdfast';
     try { FileLock.acquireSync('x.lock').releaseSync(); console.log('locked'); }
     catch (e) { console.log(e.code, e.message); }`,
  );
  const own = join(project, 'node_modules', 'other-holdfast');
  const env = (folder: string) => ({ HOLDFAST_PREBUILD: folder });
  expect(run(project, process.execPath, [file], env(own))).toBe('locked\n');
  const wrong = run(project, process.execPath, [file], env(join(project, 'nowhere')));
  expect(wrong).toMatch(/^ERR_LOCK_UNSUPPORTED /);
  const place = `prebuilds/${process.platform}-${process.arch}/holdfast.node`;
  expect(wrong).toContain(`${join(project, 'nowhere', place)} (from HOLDFAST_PREBUILD)`);
});
