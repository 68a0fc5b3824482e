import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { Claims } from '../../src/claims.js';
import { Election } from '../../src/election.js';
import { FileLock, inspect, inspectFolder, watchLock } from '../../src/index.js';
import { InstanceLock } from '../../src/instance.js';
import { withNextId } from '../../src/next-id.js';
import { Slots, withSlot } from '../../src/slots.js';
import { updateFile } from '../../src/update.js';
import { call, finish, start } from '../support/command.js';
import { testFolder } from '../support/folder.js';
import { expectWarning } from '../support/setup.js';

// In a folder of all sorts of files there may be a number that is none.
expectWarning('HOLDFAST_ID_IGNORED');
expectWarning('HOLDFAST_CLAIM_INVALID');

/** All that is below `folder`, to compare with what it was before. */
function tree(folder: string, below = ''): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const name of readdirSync(join(folder, below))) {
    const at = join(below, name);
    const path = join(folder, at);
    const stats = lstatSync(path);
    const content = stats.isFile()
      ? readFileSync(path, 'latin1')
      : stats.isSymbolicLink()
        ? readlinkSync(path)
        : null;
    const { ino, mode, mtimeMs, size } = stats;
    // A folder's own time tells of what is made beside.
    found[at] = stats.isDirectory() ? { ino, mode } : { ino, mode, mtimeMs, size, content };
    if (stats.isDirectory()) Object.assign(found, tree(folder, at));
  }
  return found;
}

const HOUR = 3_600_000;
const inSeconds = (time: number): string => `${new Date(time).toISOString().slice(0, 19)}Z`;
const CLAIM = (agent: string, from: number): string =>
  JSON.stringify({
    agent,
    locked_at: inSeconds(from),
    files: [`${agent}/**`],
    expires_at: inSeconds(from + HOUR),
  });

const FILES: Record<string, string> = {
  'yarn.lock': '# yarn lockfile v1\n',
  'Cargo.lock': 'version = 4\n',
  'flake.lock': '{"nodes":{}}',
  'package.json': '{"name":"x"}\n',
  'script.sh': '#!/bin/sh\n',
  'bytes.lock': '\0\u00ff\u00fe',
  'daemon.pid': '4711\n',
  'daemon.lock': '4711\n',
  'empty.lock': '',
  empty: '',
  '.env': 'SECRET=1\n',
  '.hidden.lock': 'hidden',
  '.holdfast-notes.tmp': 'notes',
  '.holdfast-notes': 'notes',
  '.holdfast-journal': 'dear diary',
  '.primary.bak': 'bak',
  'own.lock.bak': 'bak',
  'deploy.last': 'notes',
  '0007-seven.sql': '--\n',
  'deploy.new/src/notes.txt': 'notes',
  'claims/active.lock': CLAIM('active', Date.now()),
  'claims/expired.lock': CLAIM('expired', Date.now() - 3 * HOUR),
  'claims/yarn.lock': '# yarn lockfile v1\n',
  'claims/.holdfast-notes.tmp': 'notes',
};

let folder: string;
let before: Record<string, unknown>;

/** What was there is as it was. */
function expectUntouched(): void {
  const now = tree(folder);
  expect(Object.fromEntries(Object.keys(before).map((name) => [name, now[name]]))).toEqual(before);
}

beforeEach(() => {
  folder = testFolder();
  for (const [name, text] of Object.entries(FILES)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text, 'latin1');
  }
  mkdirSync(join(folder, 'folder.lock'));
  symlinkSync('package.json', join(folder, 'link.lock'));
  symlinkSync('nowhere', join(folder, 'dangling.lock'));
  execFileSync('mkfifo', [join(folder, 'fifo.lock')]);
  before = tree(folder);
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const at = (...names: string[]): string => join(folder, ...names);
const lockLike = (): string[] => Object.keys(before).filter((name) => lstatSync(at(name)).isFile());

describe('looking changes nothing: ', () => {
  const looks: Record<string, () => Promise<unknown>> = {
    'status FOLDER': () => call('status', folder),
    'status FOLDER --json': () => call('status', folder, '--json'),
    'status FILE, --probe': async () => {
      for (const name of lockLike()) {
        await call('status', at(name));
        await call('status', '--probe', at(name));
      }
    },
    'status --watch': async () => {
      const program = start(['status', '--watch', at('yarn.lock')]);
      await program.says('yarn.lock');
      await program.kill('SIGTERM');
    },
    doctor: () => call('doctor', folder),
    'elect status': async () => {
      await call('elect', 'status', folder);
      await call('elect', 'status', '--json', at('claims'));
    },
    'claim list, check, audit, plan': async () => {
      for (const dir of [folder, at('claims')]) {
        await call('claim', 'list', '--dir', dir);
        await call('claim', 'list', '--json', '--dir', dir);
        await call('claim', 'check', '--dir', dir, 'src/x.ts');
        await call('claim', 'audit', '--dir', dir);
        await call('claim', 'plan', '--dir', dir, at('flake.lock'));
      }
    },
    '--help of all': async () => {
      for (const command of ['run', 'status', 'next-id', 'elect', 'claim', 'doctor']) {
        await finish([command, '--help'], { cwd: folder });
      }
    },
    'inspect, inspectFolder, watchLock': async () => {
      await all(inspectFolder(folder));
      for (const name of lockLike()) {
        await inspect(at(name));
        await inspect(at(name), { probe: true });
        await watchLock(at(name)).next();
      }
    },
    'the API of claims': async () => {
      for (const dir of [folder, at('claims')]) {
        const claims = new Claims(dir, { root: folder });
        await claims.list();
        await claims.audit();
        await claims.check(['x.ts'], { ignoreInvalid: true });
        await claims.watch().next();
      }
    },
  };
  test.each(Object.keys(looks))('%s', async (name) => {
    await looks[name]?.();
    expect(tree(folder)).toEqual(before);
  });
});

describe('acting touches its own files alone: ', () => {
  const acts: Record<string, () => Promise<unknown>> = {
    'run, on its own file and on files of others': async () => {
      expect(await finish(['run', at('own.lock'), 'true'])).toMatchObject({ code: 0 });
      const kept = ['yarn.lock', 'package.json', 'bytes.lock', 'script.sh'];
      for (const name of kept) {
        expect(await finish(['run', at(name), 'true'])).toMatchObject({ code: 0 });
      }
    },
    'run --instance, --force': async () => {
      expect(await finish(['run', '--instance', 'x', at('own.lock'), 'true'])).toMatchObject({
        code: 0,
      });
      for (const name of ['yarn.lock', 'package.json']) {
        const refused = await finish(['run', '--instance', 'x', at(name), 'true']);
        expect(refused).toMatchObject({ code: 65 });
        const lock = FileLock.acquireSync(at(name));
        const forced = await finish([
          'run',
          '--instance',
          'x',
          '--force',
          '--yes',
          at(name),
          'true',
        ]);
        expect(forced.code).toBe(65);
        lock.releaseSync();
      }
    },
    'FileLock and InstanceLock that remove their file': async () => {
      for (const name of ['yarn.lock', 'package.json', 'bytes.lock', 'folder.lock']) {
        FileLock.acquireSync(at(name), { keepFile: false }).releaseSync();
        FileLock.acquireSync(at(name), { keepFile: false, record: false }).releaseSync();
        FileLock.acquireSync(at(name), { keepFile: false, mode: 'shared' }).releaseSync();
        expect(() => InstanceLock.acquireSync(at(name))).toThrow(/yarn|package|bytes|folder/);
      }
    },
    'slots, in a folder of other files': async () => {
      await withSlot(folder, { slots: 2 }, () => {});
      expect(await finish(['run', '--slots', '2', folder, 'true'])).toMatchObject({ code: 0 });
      await new Slots(folder, { slots: 2 }).inspect();
    },
    elect: async () => {
      const { code, stdout } = await finish(['elect', '--settle', '10', folder, 'echo', 'led']);
      expect({ code, stdout }).toEqual({ code: 0, stdout: 'led\n' });
      expect(await finish(['elect', '--id', 'yarn', folder, 'true'])).toMatchObject({ code: 65 });
      await finish(['elect', at('claims'), 'true']);
    },
    'join, members, primary, leave': async () => {
      const election = await Election.join(folder, { id: 'me' });
      await election.whenPrimary();
      // After the sweep that follows a primacy.
      await new Promise(setImmediate);
      expect((await election.members()).map(({ id }) => id)).toEqual(['me']);
      expect(await election.primary()).toMatchObject({ id: 'me' });
      await election.leave();
    },
    'next-id': async () => {
      expect(await finish(['next-id', folder])).toMatchObject({ code: 0 });
      await withNextId(folder, { pattern: /^(\d+)-/ }, () => {});
    },
    updates: async () => {
      // Their lock files are those of other programs.
      for (const name of ['yarn', 'flake']) expect(await updateFile(at(name), () => '1')).toBe('1');
      for (const name of ['package.json', 'own.lock.bak', 'deploy.last', 'bytes.lock']) {
        const lockPath = at(name);
        await updateFile(at('new-file'), { lockPath }, (old = '') => `${old}${name}`);
      }
      expect(readdirSync(folder).filter((name) => name.endsWith('.new'))).toEqual(['deploy.new']);
    },
    'claim add, renew, release, prune and clear': async () => {
      const claims = ['--dir', folder, '--agent', 'me'];
      // Beside the files of others nothing is granted, and nothing removed.
      expect((await call('claim', 'add', ...claims, 'src/')).code).toBe(65);
      for (const command of ['renew', 'release']) await call('claim', command, ...claims);
      for (const command of ['prune', 'clear']) await call('claim', command, '--dir', folder);
    },
    'claims that ignore what is invalid': async () => {
      const claims = new Claims(folder, { root: folder });
      const claim = await claims.claim({ agent: 'me', files: ['a'] }, { ignoreInvalid: true });
      await claim.renew();
      await claim.release();
      const wanted = [
        { agent: 'one', files: ['a'] },
        { agent: 'two', files: ['b'] },
      ];
      // Several need the journal, whose name another program's file has here.
      const refused = claims.claimAll(wanted, { ignoreInvalid: true });
      await expect(refused).rejects.toMatchObject({
        code: 'ERR_CLAIM_INVALID',
        files: [{ file: at('.holdfast-journal') }],
      });
      const yarn = claims.claim({ agent: 'yarn', files: ['c'] }, { ignoreInvalid: true });
      await expect(yarn).rejects.toMatchObject({ code: 'ERR_CLAIM_INVALID' });
      await claims.prune();
      await claims.releaseAll({ force: true });
    },
  };
  for (const name of Object.keys(acts)) {
    // It waits until a member that was killed is swept.
    const tags = name === 'elect' ? ['long'] : [];
    test(name, { tags }, async () => {
      await acts[name]?.();
      expectUntouched();
    });
  }

  test('prune and clear remove claims, and leave what is none', async () => {
    const claims = new Claims(at('claims'), { root: folder });
    expect(await claims.prune()).toMatchObject([{ agent: 'expired' }]);
    expect(readdirSync(at('claims')).sort()).toEqual(
      ['.holdfast-notes.tmp', 'active.lock', 'yarn.lock'].sort(),
    );
    await claims.releaseAll();
    expect(readdirSync(at('claims')).sort()).toEqual(['.holdfast-notes.tmp', 'yarn.lock']);
  });
});
