import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isLockUrl } from '../../src/cli/is-lock-url.js';
import { parseLockUrl } from '../../src/cli/lock-url.js';
import { call, callIn } from '../support/command.js';
import { testFolder } from '../support/folder.js';

describe('what is a URL', () => {
  test.each([
    'postgres:///app#deploy',
    'postgresql://host/app#deploy',
    'POSTGRES://host/app#deploy',
    'etcd://host:2379/deploy',
    'etcds://host/deploy',
    'redis://host/deploy',
    'postgress://host/app#deploy',
    'postgres:/host/app#deploy',
    'postgresql:app',
    'ETCD:/host/deploy',
    'etcds:',
  ])('%s is', (word) => {
    expect(isLockUrl(word)).toBe(true);
  });

  test.each(['deploy.lock', './postgres://x', './postgres:/x', '/etcd://x/y', 'etcd', 'redis:x'])(
    '%s is a path',
    (word) => {
      expect(isLockUrl(word)).toBe(false);
    },
  );

  test('a file with such a name is reached by ./', async () => {
    const folder = testFolder();
    const { code } = await callIn(folder, 'run', './postgres://app', 'true');
    expect({ code, isThere: existsSync(join(folder, 'postgres:', 'app')) }).toEqual({
      code: 0,
      isThere: true,
    });
  });
});

describe('of PostgreSQL', () => {
  test.each<[typed: string, name: string, connect: string, loss?: number]>([
    ['postgres:///app#deploy', 'deploy', 'postgres:///app'],
    ['postgresql://db/app#deploy', 'deploy', 'postgres://db/app'],
    ['postgres://me@db:5433/app#a%20b%2Fc', 'a b/c', 'postgres://me@db:5433/app'],
    ['postgres://db#a b', 'a b', 'postgres://db/'],
    ['postgres://me:@db/#x', 'x', 'postgres://me@db/'],
    ['postgres://[::1]:5433/app#x', 'x', 'postgres://[::1]:5433/app'],
    ['postgres://:5433/app#x', 'x', 'postgres:///app?port=5433'],
    ['postgres://me@/app#x', 'x', 'postgres://me@/app'],
    ['postgres://%2Frun%2Fpostgresql/app#x', 'x', 'postgres://%2Frun%2Fpostgresql/app'],
    ['postgres:///app?host=/run/pg#x', 'x', 'postgres:///app?host=%2Frun%2Fpg'],
    ['postgres:///app?loss=60s#x', 'x', 'postgres:///app', 60_000],
    ['postgres:///app?loss=1m&sslmode=disable#x', 'x', 'postgres:///app?sslmode=disable', 60_000],
    ['postgres:///app?loss=9#x?y#z', 'x?y#z', 'postgres:///app', 9000],
    ['postgres:///app#%E2%9C%93', '✓', 'postgres:///app'],
  ])('%s', (typed, name, connect, loss) => {
    const parsed = { engine: 'postgres', typed, name, connect, loss };
    expect(parseLockUrl(typed, 'run')).toEqual(parsed);
  });

  test.each<[what: string, typed: string, says: string]>([
    ['no name', 'postgres:///app', 'does not name a lock'],
    ['an empty name', 'postgres:///app#', 'does not name a lock'],
    ['another scheme', 'mysql://db/app', 'for a file, write ./ in front'],
    [
      'a scheme that is misspelt',
      'postgress://me:hunter2@db/app#x',
      'scheme of the URL is unknown',
    ],
    ['a password', 'postgres://me:hunter2@db/app#x', 'PGPASSWORD or PGPASSFILE'],
    ['a password with a slash', 'postgres://me:hunter2/@db/app#x', 'malformed'],
    ['a password as a parameter', 'postgres:///app?password=hunter2#x', 'PGPASSWORD'],
    ['several hosts', 'postgres://a,b:5433/app#x', 'several hosts'],
    ['several hosts as a parameter', 'postgres:///app?host=a,b#x', 'several hosts'],
    ['hosts in both places', 'postgres://a/app?host=b#x', 'several hosts'],
    ['an unknown parameter', 'postgres:///app?pool=3#x', "unknown parameter 'pool'"],
    ['the parameter of etcd', 'postgres:///app?ttl=30#x', 'use loss'],
    ['a parameter twice', 'postgres:///app?loss=60&loss=70#x', 'twice'],
    ['a loss that is no time', 'postgres:///app?loss=long#x', 'loss takes a time'],
    ['a loss too short for the end of a command', 'postgres:///app?loss=8.9#x', 'from 9s'],
    ['a loss of more than an hour', 'postgres:///app?loss=2h#x', 'to 1h'],
    ['a port that is none', 'postgres://db:x/app#x', 'malformed'],
    ['a port of more than 65535', 'postgres://db:70000/app#x', 'malformed'],
    ['a space', 'postgres://db/a pp#x', 'space'],
    ['a % alone', 'postgres://db/app#50%', '%25'],
    ['a name that is not UTF-8', 'postgres://db/app#%FF', 'not UTF-8'],
    ['a name with NUL', 'postgres://db/app#a%00b', '%00'],
    ['bytes that are not UTF-8', 'postgres://db/app#\udcff', 'not UTF-8'],
  ])('%s is a usage error', async (_, typed, says) => {
    for (const command of [
      ['run', typed, 'true'],
      ['elect', typed, 'true'],
      ['status', typed],
    ]) {
      const { code, stdout, stderr } = await call(...command);
      expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
      expect(stderr).toContain(
        command[0] === 'status' && typed.includes('\udcff') ? 'UTF-8' : says,
      );
      expect(stderr).not.toContain('hunter2');
    }
  });
});

describe('of etcd', () => {
  test.each<[typed: string, name: string, endpoints: string[], isSecure?: boolean, ttl?: number]>([
    ['etcd://h1:2379,h2:2380/deploy', 'deploy', ['h1:2379', 'h2:2380']],
    ['etcds://h/locks/a%20b', 'locks/a b', ['h'], true],
    ['etcd:///deploy', 'deploy', []],
    ['etcd://h//deploy', '/deploy', ['h']],
    ['etcd://[::1]:2379/x?ttl=30', 'x', ['[::1]:2379'], false, 30],
    ['ETCDS://h/x?ttl=1m', 'x', ['h'], true, 60],
    ['etcd://h/x?ttl=18', 'x', ['h'], false, 18],
  ])('%s', (typed, name, endpoints, isSecure = false, ttl) => {
    const parsed = { engine: 'etcd', typed, name, endpoints, isSecure, ttl };
    expect(parseLockUrl(typed, 'run')).toEqual(parsed);
  });

  test.each<[what: string, typed: string, says: string]>([
    ['no name', 'etcd://h:2379', 'does not name a lock'],
    ['an empty name', 'etcd://h:2379/', 'does not name a lock'],
    ['a password', 'etcd://me:hunter2@h/x', 'ETCDCTL_PASSWORD'],
    ['a user', 'etcd://me@h/x', 'ETCDCTL_USER'],
    ['an empty host', 'etcd://h1,,h2/x', 'malformed'],
    ['a port that is none', 'etcd://h:x/y', 'malformed'],
    ['a #', 'etcd://h/x#y', '%23'],
    ['an unknown parameter', 'etcd://h/x?prefix=y', "unknown parameter 'prefix'"],
    ['the parameter of PostgreSQL', 'etcd://h/x?loss=30', 'use ttl'],
    ['a ttl too short for the end of a command', 'etcd://h/x?ttl=17', 'from 18s'],
    ['a ttl of more than a day', 'etcd://h/x?ttl=2d', 'to 1d'],
    ['a part of a second', 'etcd://h/x?ttl=18.5', 'whole seconds'],
  ])('%s is a usage error', async (_, typed, says) => {
    for (const command of [
      ['run', typed, 'true'],
      ['elect', typed, 'true'],
      ['status', typed],
    ]) {
      const { code, stdout, stderr } = await call(...command);
      expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
      expect(stderr).toContain(says);
      expect(stderr).not.toContain('hunter2');
    }
  });

  test('has no shared locks', async () => {
    const { code, stderr } = await call('run', '-s', 'etcd://h/x', 'true');
    expect({ code, stderr }).toMatchObject({ code: 64 });
    expect(stderr).toContain('-s (--shared)');
  });
});

describe('what is for files', () => {
  test.each([
    [['-F'], '-F (--no-fork)'],
    [['-u'], '-u (--unlock)'],
    [['--instance', 'x'], '--instance'],
    [['--instance', 'x', '--force', '--yes'], '--force'],
    [['--instance', 'x', '--terminate', '--yes'], '--terminate'],
    [['--data', 'a=b'], '--data'],
  ])('run %j is a usage error', async (options, says) => {
    const { code, stderr } = await call('run', ...options, 'postgres:///app#x', 'true');
    expect({ code, stderr }).toEqual({
      code: 64,
      stderr: expect.stringContaining(`${says} is for files`),
    });
  });

  test.each([
    [['--id', 'x'], '--id'],
    [['--settle', '1'], '--settle'],
  ])('elect %j is a usage error', async (options, says) => {
    const { code, stderr } = await call('elect', ...options, 'etcd://h/x', 'true');
    expect({ code, stderr }).toEqual({
      code: 64,
      stderr: expect.stringContaining(`${says} is for folders`),
    });
  });

  test('without COMMAND it is a usage error', async () => {
    expect(await call('run', 'etcd://h/x')).toMatchObject({ code: 64 });
    expect(await call('elect', 'etcd://h/x')).toMatchObject({ code: 64 });
    expect(await call('elect', 'status', 'etcd://h/x', 'y')).toMatchObject({ code: 64 });
  });

  test('a folder of next-id and doctor is no URL, and nothing is created', async () => {
    const folder = testFolder();
    for (const words of [
      ['next-id', 'postgres:///app#x'],
      ['next-id', '--with', 'etcd://h/x', '.'],
      ['doctor', 'etcd://h/x'],
      ['run', 'etcd:/h/x', 'true'],
      ['elect', 'postgres:/h/x#y', 'true'],
      ['status', 'postgres:/h/x#y'],
    ]) {
      const { code, stdout } = await callIn(folder, ...words);
      expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  test('next-id --locker takes a URL', async () => {
    for (const locker of ['deploy.lock', '', 'postgres://a:b@c/d']) {
      const { code, stdout } = await call('next-id', '--locker', locker, testFolder());
      expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    }
  });

  test('a user of etcd without a password is a usage error', async () => {
    process.env['ETCDCTL_USER'] = 'root';
    try {
      expect(await call('run', 'etcd://127.0.0.1:1/x', 'true')).toMatchObject({
        code: 64,
        stderr: expect.stringContaining('ETCDCTL_PASSWORD'),
      });
    } finally {
      delete process.env['ETCDCTL_USER'];
    }
  });
});
