// @module-tag long
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attempt, installedProject, ROOT, run, testWith } from '../support/package-project.js';
import { readPackage } from '../support/package-types.js';

let package_: ReturnType<typeof installedProject>;
let project = '';

// What a user writes, with everything of every module named.
const SOURCE = `
import { FileLock, fileLocker, inspect, inspectFolder, isLockError, watchLock, withLock, withLocks, type HeldLock, type Holder, type Locker, type LockerOptions, type LockView, type WithLocksOptions } from 'holdfast';
import { AlreadyRunningError, InstanceLock, instanceLocker, type InstanceAnswer } from 'holdfast/instance';
import { ClaimConflictError, Claims, type ClaimRequest, type Plan } from 'holdfast/claims';
import { withNextId, type NextIdOptions } from 'holdfast/next-id';
import { Election, type Member } from 'holdfast/election';
import { updateFile, updateJson, type UpdateFileOptions, type UpdateContext } from 'holdfast/update';
import { type Slot, Slots, type SlotsStatus, withSlot } from 'holdfast/slots';
import { memoryLocker } from 'holdfast/testing';
import { postgresLocker, type PostgresLock, type PostgresLocker, type PostgresLockerOptions } from 'holdfast/postgres';
import { etcdLocker, type EtcdLocker, type EtcdLock, type EtcdLockerOptions } from 'holdfast/etcd';

interface Server { url: string; port: number }

export async function use(locker: Locker = memoryLocker()): Promise<string | undefined> {
  const lock: FileLock<Server> = FileLock.acquireSync('x.lock', { data: { url: 'x', port: 1 } });
  lock.update({ port: 2 });
  const upgraded: boolean = lock.tryUpgrade();
  for await (const status of inspectFolder<Server>('.')) console.log(status.holders[0]?.data?.url);
  for await (const { state } of watchLock('x.lock')) if (state === 'free') break;
  const five: number = await withLock('y.lock', { timeout: 5 }, async (held) => held.token);
  const shared: LockerOptions = { mode: 'shared' };
  const six: number = await withLock('y', { locker, ...shared }, async (held: HeldLock) => held.token);
  const view: LockView | undefined = await locker.look?.('y');
  console.log(six, view?.waiters[0]?.pid, lock.signal.aborted, await lock.check());
  const instance = await InstanceLock.acquire<Server>('z.lock', { force: { how: 'steal' } });
  instance.on('lost', (holder) => console.log(holder?.data?.port, upgraded, five));
  const onMessage = (message: unknown, { pid }: { pid: number | null }) => [message, pid];
  const start = await InstanceLock.acquireOrSend<Server>('w.lock', ['x'], { onMessage });
  if (start.lock !== undefined) start.lock.update({ port: 3 });
  else console.log(start.answer, start.pid);
  const requests: ClaimRequest[] = [{ agent: 'a', files: ['b'] }];
  const claims = new Claims('claims');
  const plan: Plan = claims.plan(requests);
  const options: NextIdOptions = { locker, pattern: /(\\d+)/ };
  const { value }: { value: string } = await withNextId('ids', options, (id) => String(id));
  const election = await Election.join<Server>('e', { settle: 1 });
  election.on('primary', (term) => console.log(term + 1));
  await (await Election.join('e', { locker })).leave();
  const server: Server = await updateJson('s.json', (old: Server = { url: 'x', port: 1 }) => old);
  const dark: Server = await updateJson<Server>('s.json', { spaces: 0 }, async (old = server) => ({ ...old, port: 2 }));
  const maybe: Server | undefined = await updateJson<Server>('s.json', (old) => (old?.port === 1 ? undefined : old));
  // @ts-expect-error: without a file and a change, there is nothing
  const sure: Server = await updateJson<Server>('s.json', () => undefined);
  // @ts-expect-error: a field is missing
  await updateJson<Server>('s.json', (old) => ({ url: 'x' }));
  const text: string | undefined = await updateFile('t', async (old, context: UpdateContext) => (context.signal.aborted ? undefined : old));
  const given: UpdateFileOptions & { encoding: 'buffer' } = { encoding: 'buffer', durable: false };
  const bytes: Buffer = await updateFile('b', given, (old) => old ?? new Uint8Array(1));
  const line: string = await updateFile('t', { durable: false }, async (old) => (old ?? '') + 'line');
  console.log(maybe?.port, text?.length, bytes.byteLength, [dark, sure, line]);
  const members: Member<Server>[] = await election.members();
  const slots = new Slots<Server>('s', { slots: 2 });
  const slot: Slot<Server> = await slots.acquire({ onWait: (holders) => console.log(holders[0]?.data?.url) });
  slot.update({ port: slot.number });
  const all: SlotsStatus<Server> = await slots.inspect();
  const seven: number = await withSlot('s', { slots: 2, timeout: all.taken }, (each) => each.number);
  console.log(seven, slots.tryAcquire()?.previous?.data.url);
  try { await claims.claimAll(requests); } catch (error) {
    if (error instanceof ClaimConflictError) return error.conflicts[0]?.witness;
    if (error instanceof AlreadyRunningError) {
      const { answer }: InstanceAnswer = await error.send(1, { timeout: 5 });
      return String(answer ?? error.data);
    }
    if (isLockError(error, 'ERR_LOCK_TIMEOUT')) return String(error.timeout);
  }
  return plan.waves[0]?.[0] ?? members[0]?.data?.url ?? value;
}
// Without a type argument, the fields are there and unknown.
export async function untyped(): Promise<unknown[]> {
  const { holders, record } = await inspect('x.lock');
  const [member] = await (await Election.join('e')).members();
  const { previous } = await FileLock.acquire('x.lock');
  const [held] = (await fileLocker().look('x.lock')).holders;
  await memoryLocker().acquire('x', { onWait: (holder) => console.log(holder?.data?.url) });
  const [slot] = (await new Slots('s', { slots: 1 }).inspect()).slots;
  const last = [previous?.data.url, held?.data?.url, slot?.holders[0]?.data?.url];
  return [holders[0]?.data?.url, record?.data.url, member?.data?.url, ...last];
}
// One type argument is the type of the fields; not all of them need to be there.
export async function named(anyLock: (lock: FileLock) => void, anyHolder: (h: Holder) => void) {
  await withLock<Server>('y.lock', { data: { url: 'x' } }, (held) => {
    held.update({ port: 1 });
    anyLock(held);
    // @ts-expect-error: no such field
    held.update({ prot: 1 });
  });
  const two: number = await withLock<Server, number>('y.lock', () => 2);
  const server: Server = { url: 'x', port: two };
  const lock = await InstanceLock.acquire('z.lock', { data: server });
  lock.update({ port: 2 });
  for (const holder of (await inspect<Server>('x.lock')).holders) anyHolder(holder);
  await FileLock.acquire<Server>('x.lock', { data: { port: 1 }, onWait: (h) => anyHolder(h!) });
  const both: WithLocksOptions<Server> = { timeout: 5, onWait: (h, path: string) => anyHolder(h!) };
  await withLocks<Server>(['x', new URL('file:///y')], both, (held) => held[0]?.update({ port: 3 }));
  const seven: number = await withLocks(['x', 'y'], async ([x, y]) => x.token + y.token);
  const many: string[] = ['x', 'y'];
  const tokens: number[] = await withLocks(many, (held) => held.map(({ token }) => token + seven));
  // @ts-expect-error: there are two
  await withLocks(['x', 'y'], ([x, y, z]) => [x, y, z, tokens]);
  // A parameter with a type names the fields, and the result is inferred.
  const eight: number = await withLock('x', (held: FileLock<Server>) => {
    held.update({ port: 8 });
    return 8;
  });
  const nine: number = await withLock('x', { data: server }, (held: FileLock<Server>) => held.token);
  const ten: string = await withLocks(['x', 'y'], ([x, y]: [FileLock<Server>, FileLock<Server>]) => {
    x.update({ port: y.token });
    return String(eight + nine);
  });
  const eleven: string = await withSlot('s', { slots: 2 }, (slot: Slot<Server>) => {
    slot.update({ url: ten });
    return ten;
  });
  // An interface has no index signature, and its fields are data all the same.
  const given = [fileLocker({ data: server }), instanceLocker({ data: server }), eleven];
  await Election.join('e', { data: server });
  await new Slots<Server>('s', { slots: 2 }).acquire({ data: server });
  const bytes = Buffer.from('x.lock');
  await fileLocker().acquire(bytes);
  await withLock(bytes, () => inspect(bytes));
  return given;
}
// The same code on files and on servers.
export async function anywhere(connect: PostgresLockerOptions['connect'], rest: EtcdLockerOptions) {
  const postgres: PostgresLocker = postgresLocker({ connect, loss: 6000 });
  const etcd: EtcdLocker = etcdLocker({ ...rest, ttl: 20 });
  const lockers: Locker[] = [fileLocker(), postgres, etcd];
  for (const locker of lockers) await withLock('x', { locker, timeout: 0 }, (held) => held.token);
  const lock: PostgresLock = await postgres.acquire('x', { mode: 'shared' });
  const held: boolean = lock.isCurrent();
  lock.signal.addEventListener('abort', () => console.log(held, lock.since.getTime(), lock.fd));
  await postgres[Symbol.asyncDispose]();
  const other: EtcdLock = await etcd.acquire('x');
  return [other.key, await etcd.look('x')];
}
// @ts-expect-error: a field of another type
FileLock.tryAcquire<Server>('x', { data: { port: '1' } });
// @ts-expect-error: an option of the locker
withLock('x', { locker: memoryLocker(), record: false }, () => {});
// @ts-expect-error: there is no such option
FileLock.tryAcquire('x', { retries: 3 });
`;

beforeAll(() => {
  package_ = installedProject();
  ({ project } = package_);
  for (const name of ['use.mts', 'use.cts']) writeFileSync(join(project, name), SOURCE);
}, 180_000);
afterAll(() => package_.remove());

const STRICT = ['--noEmit', '--strict', '--exactOptionalPropertyTypes'];
const TARGET = ['--target', 'es2022', '--lib', 'es2023,esnext.disposable'];
const NODE = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules', '@types')];

const WAYS = [
  { module: 'nodenext', resolution: 'nodenext', sources: ['use.mts', 'use.cts'] },
  // The declarations themselves are the same as above: once is enough.
  { module: 'node20', sources: ['use.mts', 'use.cts'], skipLibCheck: true },
  { module: 'node16', sources: ['use.mts'], skipLibCheck: true },
  { module: 'preserve', sources: ['use.mts', 'use.cts'], skipLibCheck: true },
  { module: 'esnext', resolution: 'bundler', sources: ['use.mts'], skipLibCheck: true },
];

function compiles(compiler: string): void {
  for (const { module, resolution, sources, skipLibCheck = false } of WAYS) {
    const how = ['--module', module];
    if (resolution !== undefined) how.push('--moduleResolution', resolution);
    if (skipLibCheck) how.push('--skipLibCheck');
    const args = [compiler, ...STRICT, ...TARGET, ...how, ...NODE, ...sources];
    const ran = attempt(project, process.execPath, args);
    expect({ ...ran, module }).toEqual({ status: 0, stdout: '', stderr: '', module });
  }
}

describe('the types compile', () => {
  test('with the TypeScript of this folder', { tags: ['long'] }, () => {
    compiles(join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'));
  });

  // Seconds each: the one in between only where time is given.
  const versions = (process.env['HOLDFAST_PACKAGE'] ?? '') === '' ? ['5.9.3'] : ['5.9.3', '6.0.3'];
  for (const version of versions) {
    testWith([`typescript@${version}`], `with TypeScript ${version}`, (folder) => {
      compiles(join(folder, 'typescript', 'bin', 'tsc'));
    });
  }
});

describe('the settings that docs/api.md names', () => {
  const OWN = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const errors = (compiler: string, ...options: string[]): string[] => {
    const args = [compiler, ...STRICT, ...TARGET, '--pretty', 'false', ...options];
    const { stdout } = attempt(project, process.execPath, args);
    return [...new Set(stdout.match(/(?<=error )TS\d+/g) ?? [])].sort();
  };
  const COMMONJS = ['--module', 'commonjs', '--skipLibCheck', ...NODE, 'use.cts'];

  test('TypeScript 7 finds all modules with commonjs, and needs --types node', () => {
    expect(errors(OWN, ...COMMONJS)).toEqual([]);
    // They are where it looks, but nobody names them.
    // use.mts would get them by way of pg.
    writeFileSync(join(project, 'core.mts'), `export { FileLock } from 'holdfast';`);
    const named = ['--module', 'nodenext', ...NODE, 'core.mts'];
    expect(errors(OWN, ...named)).toEqual([]);
    expect(errors(OWN, ...named.filter((word) => !NODE.slice(0, 2).includes(word)))).toContain(
      'TS2591',
    );
  });

  test('a CommonJS file cannot import it with node16', () => {
    const args = ['--module', 'node16', '--skipLibCheck', ...NODE, 'use.cts'];
    expect(errors(OWN, ...args)).toContain('TS1479');
  });

  testWith(['typescript@5.9.3'], 'TypeScript 5 does not find them with commonjs', (folder) => {
    const compiler = join(folder, 'typescript', 'bin', 'tsc');
    expect(errors(compiler, ...COMMONJS)).toContain('TS2307');
  });
});

describe('what others say of the package', () => {
  testWith(['publint@0.3.25'], 'publint has nothing to say', (folder) => {
    const bin = join(folder, 'publint', 'src', 'cli.js');
    const said = run(project, process.execPath, [bin, package_.tarball.path, '--strict']);
    expect(said).toContain('All good!');
  });

  testWith(['@arethetypeswrong/cli@0.18.5'], 'attw finds no types that are wrong', (folder) => {
    const bin = join(folder, '@arethetypeswrong', 'cli', 'dist', 'index.js');
    const args = [bin, '--profile', 'esm-only', '--format', 'json', package_.tarball.path];
    const { status, stdout } = attempt(project, process.execPath, args);
    const { problems } = JSON.parse(stdout) as { problems: Record<string, unknown[]> };
    expect(status, stdout.slice(0, 2000)).toBe(0);
    // That require() brings ESM, and that node10 knows no "exports", is so.
    expect(Object.keys(problems).sort()).toEqual(['CJSResolvesToESM', 'NoResolution']);
  });
});

test('what the types promise is there, and nothing that they do not', () => {
  const promised = readPackage(join(project, 'node_modules', 'holdfast'));
  for (const [module, names] of promised) {
    const source = `console.log(Object.keys(await import('${module}')).join(' '))`;
    const args = ['--input-type=module', '-e', source];
    const there = run(project, process.execPath, args).trim().split(' ');
    const typed = names.map(({ name }) => name);
    expect(
      there.filter((name) => !typed.includes(name)),
      module,
    ).toEqual([]);
  }
});
