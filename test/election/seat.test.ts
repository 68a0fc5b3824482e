import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Election } from '../../src/election.js';
import { FileLock } from '../../src/index.js';
import { until } from '../support/census.js';
import { ELECTION, member, soon } from '../support/election-member.js';
import { ElectionPeer } from '../support/election-peer.js';
import { testFolder } from '../support/folder.js';
import { errorOf } from '../support/refused.js';
import { runScript } from '../support/script.js';
import { expectWarning } from '../support/setup.js';
import { needs } from '../support/tools.js';

expectWarning('HOLDFAST_ELECTION');

const NOBODY = 65534;

describe('a seat that cannot be had', () => {
  const FOREIGN = 'of another program';
  const kinds: [string, string, (path: string) => void][] = [
    ['a symlink', 'ELOOP', (path) => symlinkSync('nowhere', path)],
    ['a symlink to a file', 'ELOOP', (path) => symlinkSync('/etc/hostname', path)],
    ['a FIFO', 'ERR_LOCK_UNSUPPORTED', (path) => execFileSync('mkfifo', [path])],
    ['a folder', 'ERR_LOCK_STATE', (path) => mkdirSync(path)],
    ['a file with other content', 'ERR_LOCK_STATE', (path) => writeFileSync(path, FOREIGN)],
  ];
  test.each(kinds)('%s: join rejects with %s, and leaves nothing', async (_, code, make) => {
    const directory = testFolder();
    const path = join(directory, '.primary');
    make(path);
    const before = lstatSync(path);
    expect(await errorOf(() => Election.join(directory))).toMatchObject({ code });
    expect(readdirSync(directory)).toEqual(['.primary']);
    expect(lstatSync(path)).toMatchObject({ ino: before.ino, mtimeMs: before.mtimeMs });
  });

  needs('root')('a device: join rejects', async () => {
    const directory = testFolder();
    execFileSync('mknod', [join(directory, '.primary'), 'c', '1', '3']);
    const error = await errorOf(() => Election.join(directory));
    expect(error).toMatchObject({ code: 'ERR_LOCK_UNSUPPORTED' });
  });

  test.each(kinds)(
    '%s that comes later: lead rejects with %s, and the member leaves',
    async (_, code, make) => {
      const directory = testFolder();
      const path = join(directory, '.primary');
      const lock = FileLock.acquireSync(path);
      const election = await member(directory, { id: 'a' });
      const other = await member(directory, { id: 'b' });
      const errors: unknown[] = [];
      election.on('error', (error) => errors.push(error));
      const heard = once(other, 'error');
      const led = errorOf(() => election.lead(async () => 'led'));
      make(`${path}-new`);
      rmSync(path);
      renameSync(`${path}-new`, path);
      lock.releaseSync();
      const error = await soon(led);
      expect(error).toMatchObject({ code });
      // Nobody waits for its primacy, so it is an event.
      expect((await soon(heard))[0]).toMatchObject({ code });
      expect(errors).toEqual([]);
      for (const each of [election, other]) {
        await soon(each.leave());
        expect(await errorOf(() => each.whenPrimary())).toMatchObject({ code });
      }
      expect(await errorOf(() => election.lead(async () => 'led'))).toBe(error);
      expect(readdirSync(directory)).toEqual(['.primary']);
    },
  );

  needs('root')('another user’s 0600 or 0644 file: join rejects with EACCES', async () => {
    const directory = testFolder();
    chmodSync(directory, 0o777);
    const path = join(directory, '.primary');
    const record = '{"holdfast":{"token":4000000000000000}}\n';
    for (const mode of [0o600, 0o644]) {
      writeFileSync(path, record);
      chmodSync(path, mode);
      const source = `
        const { Election } = await import(${JSON.stringify(ELECTION)});
        report(await outcome(() => Election.join(path, { id: 'other' })));
      `;
      const { reports } = await runScript(directory, source, { uid: NOBODY, gid: NOBODY });
      expect(reports).toMatchObject([{ code: 'EACCES', path, syscall: 'open' }]);
      expect(readFileSync(path, 'utf8')).toBe(record);
      expect(readdirSync(directory)).toEqual(['.primary']);
    }
  });

  needs('root')(
    'one that a standby may only read when its turn comes: lead rejects with EACCES, and nobody leads',
    async () => {
      const directory = testFolder();
      chmodSync(directory, 0o777);
      const path = join(directory, '.primary');
      const peer = await ElectionPeer.start({ uid: NOBODY, gid: NOBODY });
      const first = FileLock.acquireSync(path, { permissions: 0o666 });
      chmodSync(path, 0o666);
      await peer.standBy('m', directory, { id: 'b' });
      const led = errorOf(() => peer.call('whenPrimary', 'm'));
      // As it was made by a version that did not share it.
      rmSync(path);
      const second = FileLock.acquireSync(path, { permissions: 0o644 });
      first.releaseSync();
      second.releaseSync();
      expect(await led).toMatchObject({ code: 'EACCES', syscall: 'open' });
      expect(await peer.describe('m')).toMatchObject({ isPrimary: false, term: 0 });
      await until(() => readdirSync(directory).length === 1);
    },
  );

  test('what can pass is tried again, and told once each time that it changes', async () => {
    const directory = testFolder();
    // Each try that fails is followed by a pause of a second, shorter here. Put
    // in before the package is loaded.
    const shorter = `
      const timers = process.getBuiltinModule('node:timers');
      const { setTimeout } = timers;
      let pauses = 0;
      globalThis.triedTwice = new Promise((resolve) => {
        timers.setTimeout = (callback, milliseconds) => {
          if (milliseconds !== 1000) return setTimeout(callback, milliseconds);
          if (++pauses === 3) resolve();
          return setTimeout(callback, 10);
        };
      });
    `;
    const source = `
      const { Election } = await import(${JSON.stringify(ELECTION)});
      const election = await Election.join(path, { id: 'a', settle: 300 });
      election.on('error', ({ code }) => report(code));
      // All descriptors that are left.
      const taken = [];
      const take = () => {
        for (;;) {
          try { taken.push(fs.openSync('/dev/null')); } catch { return; }
        }
      };
      const give = () => { for (const fd of taken.splice(0)) fs.closeSync(fd); };
      take();
      await triedTwice;
      give();
      await election.whenPrimary();
      report('primary');
      await election.leave();
    `;
    const { reports } = await runScript(directory, source, {
      wrap: ['prlimit', '--nofile=64'],
      env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(shorter)}` },
    });
    expect(reports).toEqual(['EMFILE', 'primary']);
  });
});

describe('two users', () => {
  needs('root')(
    'share the seat as the umask allows, and the term grows also where the clock of the first was ahead',
    async () => {
      const directory = testFolder();
      chmodSync(directory, 0o777);
      const source = (id: string): string => `
      process.umask(0);
      const { Election } = await import(${JSON.stringify(ELECTION)});
      const election = await Election.join(path, { id: '${id}' });
      report(await election.lead(({ term }) => term));
      await election.leave();
    `;
      const hour = 3_600_000;
      const lead = async (id: string, user: object): Promise<number> => {
        const { reports, stderr } = await runScript(directory, source(id), user);
        expect(stderr).toBe('');
        return reports[0];
      };
      const other = { uid: NOBODY, gid: NOBODY };
      const first = await lead('a', {});
      const ahead = (Date.now() + hour) * 1000;
      writeFileSync(join(directory, '.primary'), `{"holdfast":{"token":${ahead}}}\n`);
      const terms = [
        first,
        ahead,
        await lead('b', other),
        await lead('c', {}),
        await lead('d', other),
      ];
      expect(statSync(join(directory, '.primary')).mode & 0o777).toBe(0o666);
      expect(terms).toEqual([...new Set(terms)].sort((one, two) => one - two));
    },
  );
});
