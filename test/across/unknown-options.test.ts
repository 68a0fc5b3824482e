import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { checkOptions } from '../../src/base/arguments.js';
import { Claims } from '../../src/claims.js';
import { Election } from '../../src/election.js';
import { etcdLocker } from '../../src/etcd.js';
import {
  FileLock,
  fileLocker,
  inspect,
  inspectFolder,
  watchLock,
  withLock,
  withLocks,
} from '../../src/index.js';
import { type AlreadyRunningError, InstanceLock, instanceLocker } from '../../src/instance.js';
import { withNextId } from '../../src/next-id.js';
import { postgresLocker } from '../../src/postgres.js';
import { Slots, withSlot } from '../../src/slots.js';
import { memoryLocker } from '../../src/testing.js';
import { updateFile, updateJson } from '../../src/update.js';
import { testFolder } from '../support/folder.js';
import { errorOf } from '../support/refused.js';

const typo = { timout: 5, signall: 5, prob: 1, roots: 1, forced: 1, exsting: 1 } as never;

describe('an option that does not exist', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'a.lock');
  const claims = new Claims(join(folder, 'claims'), { root: folder });
  const request = { agent: 'a', files: ['b'] };
  // Nobody is asked: there is nothing at the other end.
  const connect = 'postgres://127.0.0.1:1/x';
  const endpoints = ['http://127.0.0.1:1'];
  const calls: [string, () => unknown][] = [
    ['FileLock.acquire', () => FileLock.acquire(path, typo)],
    ['FileLock.acquireSync', () => FileLock.acquireSync(path, typo)],
    ['FileLock.tryAcquire', () => FileLock.tryAcquire(path, typo)],
    ['FileLock.adopt', () => FileLock.adopt(0, path, typo)],
    ['withLock', () => withLock(path, typo, () => {})],
    ['withLocks', () => withLocks([path], typo, () => {})],
    [
      'withLock with a locker',
      () => withLock(path, { locker: memoryLocker(), ...(typo as object) }, () => {}),
    ],
    ['fileLocker', () => fileLocker(typo)],
    ['fileLocker().acquire', () => fileLocker().acquire(path, typo)],
    ['inspect', () => inspect(path, typo)],
    ['inspectFolder', () => inspectFolder(folder, typo).next()],
    ['watchLock', () => watchLock(path, typo).next()],
    ['InstanceLock.acquire', () => InstanceLock.acquire(path, typo)],
    [
      'InstanceLock.acquireOrSend',
      () => InstanceLock.acquireOrSend(path, 1, { onMessage() {}, ...(typo as object) }),
    ],
    ['InstanceLock.acquireSync', () => InstanceLock.acquireSync(path, typo)],
    [
      'options.force',
      () => InstanceLock.acquire(path, { force: { how: 'steal', wait: 1 } as never }),
    ],
    ['instanceLocker', () => instanceLocker(typo)],
    ['instanceLocker().acquire', () => instanceLocker().acquire(path, typo)],
    ['memoryLocker', () => memoryLocker(typo)],
    ['memoryLocker().acquire', () => memoryLocker().acquire(path, typo)],
    ['postgresLocker', () => postgresLocker({ connect, ...(typo as object) })],
    ['postgresLocker().acquire', () => postgresLocker({ connect }).acquire('x', typo)],
    ['etcdLocker', () => etcdLocker({ endpoints, ...(typo as object) })],
    ['the tls of etcdLocker', () => etcdLocker({ endpoints: ['https://h'], tls: typo })],
    ['etcdLocker().acquire', () => etcdLocker({ endpoints }).acquire('x', typo)],
    ['new Slots', () => new Slots(join(folder, 's'), typo)],
    ['Slots.acquire', () => new Slots(join(folder, 's'), { slots: 1 }).acquire(typo)],
    ['Slots.tryAcquire', () => new Slots(join(folder, 's'), { slots: 1 }).tryAcquire(typo)],
    ['withSlot', () => withSlot(join(folder, 's'), { slots: 1, ...(typo as object) }, () => {})],
    ['withNextId', () => withNextId(join(folder, 'ids'), typo, () => 1)],
    ['updateFile', () => updateFile(path, typo, () => 'x')],
    ['updateJson', () => updateJson(path, typo, () => 1)],
    ['Election.join', () => Election.join(join(folder, 'e'), typo)],
    [
      'Election.join with a locker',
      () => Election.join('e', { locker: memoryLocker(), ...(typo as object) }),
    ],
    ['new Claims', () => new Claims(folder, typo)],
    ['claim', () => claims.claim(request, typo)],
    ['claimAll', () => claims.claimAll([request], typo)],
    ['a request', () => claims.claim({ ...request, file: ['c'] } as never)],
    ['a request of a plan', () => claims.plan([{ ...request, file: ['c'] } as never])],
    ['plan', () => claims.plan([request], typo)],
    ['check', () => claims.check(['b'], typo)],
    ['renew', () => claims.renew('a', 60_000, typo)],
    ['release', () => claims.release('a', typo)],
    ['releaseAll', () => claims.releaseAll(typo)],
    ['watch', () => claims.watch(typo).next()],
  ];

  test.each(calls)('is refused by %s, and nothing has happened', async (_, call) => {
    expect(await errorOf(call)).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('is refused by the methods of what is held', async () => {
    const place = testFolder();
    await using election = await Election.join(place);
    await election.whenPrimary();
    await using claim = await new Claims(join(place, 'claims')).claim(request);
    await using _first = await InstanceLock.acquire(join(place, 'i.lock'));
    const second = await errorOf(() => InstanceLock.acquire(join(place, 'i.lock')));
    const methods: [string, () => unknown][] = [
      ['lead', () => election.lead(() => {}, typo)],
      ['whenPrimary', () => election.whenPrimary(typo)],
      ['leave', () => election.leave(typo)],
      ['extend', () => claim.extend({ file: ['c'] } as never)],
      ['send', () => (second as AlreadyRunningError).send(1, typo)],
    ];
    for (const [name, method] of methods) {
      expect(await errorOf(method), name).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
    }
    expect([election.isPrimary, claim.files]).toEqual([true, ['b']]);
  });
});

describe('the message', () => {
  const known = new Set(['timeout', 'keepFile', 'as']);
  const told = (options: object): string => {
    try {
      checkOptions(options, known, 'options.force');
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };

  test.each([
    ['timout', 'timeout'],
    ['timeOut', 'timeout'],
    ['tmieout', 'timeout'],
    ['keepfile', 'keepFile'],
    ['KEEP_FILE', 'keepFile'],
  ])('of %s names %s', (typed, meant) => {
    expect(told({ [typed]: 1 })).toBe(
      `"options.force.${typed}" is not an option; did you mean "${meant}"?`,
    );
  });

  test.each(['x', 'xy', 'retries', '__proto__x'])('of %s lists what there is', (typed) => {
    expect(told({ [typed]: 1 })).toBe(
      `"options.force.${typed}" is not an option; the options are: timeout, keepFile, as`,
    );
  });

  test('is not for what every object inherits, nor for a value that is undefined', () => {
    expect(told(Object.create({ timout: 5 }))).toBe('');
    expect(told({ timeout: undefined })).toBe('');
    expect(told({ timout: undefined })).not.toBe('');
  });
});

test('a request may have other fields, but no misspelling of ours', async () => {
  const claims = new Claims(testFolder());
  const request = { agent: 'a', files: ['b'], steps: [1], prompt: 'do it' };
  expect(claims.plan([request]).waves).toEqual([['a']]);
  await (await claims.claim(request)).release();
  expect(() => claims.plan([{ ...request, ttll: 5 } as never])).toThrow(
    expect.objectContaining({
      code: 'ERR_INVALID_ARG_VALUE',
      message: expect.stringContaining('did you mean "ttl"'),
    }),
  );
});

test('options of a class, with getters, are heeded by lockers and instances as well', async () => {
  class Settings {
    get timeout(): number {
      return 20;
    }
    get keepFile(): boolean {
      return true;
    }
  }
  const path = join(testFolder(), 'a.lock');
  using _lock = FileLock.acquireSync(path);
  const late = { code: 'ERR_LOCK_TIMEOUT' };
  await expect(fileLocker().acquire(path, new Settings() as never)).rejects.toMatchObject(late);
  await expect(fileLocker(new Settings()).acquire(path)).rejects.toMatchObject(late);
  const other = join(testFolder(), 'b.lock');
  const instance = await InstanceLock.acquire(other, new Settings());
  await instance.release();
  expect(existsSync(other)).toBe(true);
});

test('a path with an unpaired surrogate is refused: it would name another file', () => {
  expect(() => FileLock.acquireSync('/tmp/\ud800x')).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
  );
});
