import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
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
import { ELECTION, member, primary } from '../support/election-member.js';
import { testFolder } from '../support/folder.js';
import { errorOf } from '../support/refused.js';
import { runScript } from '../support/script.js';

/** Files of members that were killed, by their ids. */
async function killedMembers(directory: string, ids: (string | undefined)[]): Promise<string[]> {
  const source = `
    const { Election } = await import(${JSON.stringify(ELECTION)});
    for (const id of ${JSON.stringify(ids.map((id) => id ?? null))}) {
      report((await Election.join(path, { id: id ?? undefined, data: { port: 80 } })).id);
    }
    process.kill(process.pid, 'SIGKILL');
  `;
  const { reports, signal } = await runScript(directory, source);
  expect(signal).toBe('SIGKILL');
  for (const id of reports) expect(existsSync(join(directory, `${id}.lock`))).toBe(true);
  return reports;
}

/** What may lie in the folder and is no member's; `name` has its content. */
function filesOfOthers(directory: string): () => unknown {
  const texts = {
    'yarn.lock': '# yarn lockfile v1\n',
    'Cargo.lock': 'version = 4\n',
    'beat.lock': '{"pid":1,"heartbeat":17}',
    'bytes.lock': '\0\xff',
    'pid.lock': '4711\n',
    'large.lock': 'x'.repeat(200_000),
    'empty.lock': '',
    'claim.lock': '{"agent":"claim","locked_at":"2026-01-17T15:30:00Z","files":["a"]}',
    'token.lock': '{"holdfast":{"token":1772015400000000}}\n',
    'note.txt': 'note',
    '.hidden.lock': 'hidden',
    '.lock': '',
    lock: '',
    'a.lock.bak': 'a',
    'b.LOCK': 'b',
  };
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(directory, name), text);
  mkdirSync(join(directory, 'folder.lock'));
  symlinkSync(join(directory, 'note.txt'), join(directory, 'link.lock'));
  symlinkSync('nowhere', join(directory, 'dangling.lock'));
  execFileSync('mkfifo', [join(directory, 'fifo.lock')]);
  const names = readdirSync(directory);
  return () =>
    names.map((name) => {
      const stats = lstatSync(join(directory, name), { throwIfNoEntry: false });
      const text = stats?.isFile() ? readFileSync(join(directory, name), 'latin1') : null;
      return [name, stats?.ino, stats?.mtimeMs, stats?.size, text];
    });
}

describe('files', () => {
  test('of other programs are no members, and survive a look, a primary, and all that it does', async () => {
    const directory = testFolder();
    const others = filesOfOthers(directory);
    const before = others();
    const election = await primary(directory, { id: 'me' });
    const dead = await killedMembers(directory, ['dead', undefined]);
    // It looks every few seconds.
    await until(() => dead.every((id) => !existsSync(join(directory, `${id}.lock`))));
    expect((await election.members()).map(({ id }) => id)).toEqual(['me']);
    expect(await election.primary()).toMatchObject({ id: 'me' });
    await election.leave();
    expect(others()).toEqual(before);
    expect(readdirSync(directory)).toHaveLength((before as unknown[]).length + 1);
  });

  test('of the dead are removed by the next primary, and by nobody who only looks', async () => {
    const directory = testFolder();
    const holder = FileLock.acquireSync(join(directory, '.primary'));
    const dead = await killedMembers(directory, ['a', undefined, 'z']);
    const standby = await member(directory, { id: 'me' });
    expect(await standby.members()).toMatchObject([{ id: 'me' }]);
    expect(await standby.primary()).toBeNull();
    for (const id of dead) expect(existsSync(join(directory, `${id}.lock`))).toBe(true);
    holder.releaseSync();
    await until(() => readdirSync(directory).length === 2);
    expect(readdirSync(directory).sort()).toEqual(['.primary', 'me.lock']);
  });

  test('with no record, of a member killed between two steps: removed where the id is ours, used again where it is the user’s', async () => {
    const directory = testFolder();
    const [made] = await killedMembers(directory, [undefined]);
    for (const name of [made, '0mi5x2c1k-5d1f0c9a7b3e', 'users']) {
      writeFileSync(join(directory, `${name}.lock`), '');
    }
    writeFileSync(join(directory, '0mi5x2d9q-a0b1c2d3e4f5.lock'), '{"holdfast":{"token":1}}\n');
    writeFileSync(join(directory, '0mi5x2d9q-a0b1c2d3e4f6.lock'), 'of another program');
    await primary(directory, { id: 'me' });
    await until(() => readdirSync(directory).length === 4);
    expect(readdirSync(directory).sort()).toEqual(
      ['.primary', '0mi5x2d9q-a0b1c2d3e4f6.lock', 'me.lock', 'users.lock'].sort(),
    );
    const next = await member(directory, { id: 'users' });
    expect((await next.members()).map(({ id }) => id)).toEqual(['me', 'users']);
  });

  test('a stale record of a lock that is no member’s stays', async () => {
    const directory = testFolder();
    const { signal } = await runScript(
      join(directory, 'job.lock'),
      "await FileLock.acquire(path, { data: { url: 'x' } }); process.kill(process.pid, 'SIGKILL');",
    );
    expect(signal).toBe('SIGKILL');
    const text = readFileSync(join(directory, 'job.lock'), 'utf8');
    const election = await primary(directory, { id: 'me' });
    await killedMembers(directory, ['dead']);
    await until(() => !existsSync(join(directory, 'dead.lock')));
    expect(readFileSync(join(directory, 'job.lock'), 'utf8')).toBe(text);
    expect(await election.members()).toMatchObject([{ id: 'me' }]);
  });

  test('a member is killed: the primary that has long been primary removes its file', async () => {
    const directory = testFolder();
    await primary(directory, { id: 'me' });
    const [dead] = await killedMembers(directory, [undefined]);
    await until(() => !existsSync(join(directory, `${dead}.lock`)));
  });

  test('an id whose file is another program’s is refused, and the file is left alone', async () => {
    const directory = testFolder();
    for (const text of ['# yarn lockfile v1\n', '{"pid":1}', 'x'.repeat(200_000), '4711\n']) {
      const path = join(directory, 'yarn.lock');
      writeFileSync(path, text);
      const { ino, mtimeMs } = statSync(path);
      const error = await errorOf(() => Election.join(directory, { id: 'yarn' }));
      expect(error).toMatchObject({ code: 'ERR_LOCK_STATE', path });
      expect(statSync(path)).toMatchObject({ ino, mtimeMs });
      expect(readFileSync(path, 'utf8')).toBe(text);
      const lock = FileLock.acquireSync(path);
      const held = await errorOf(() => Election.join(directory, { id: 'yarn' }));
      expect(held).toMatchObject({ code: expect.stringMatching(/^ERR_LOCK_(STATE|HELD)$/), path });
      lock.releaseSync();
      rmSync(path);
    }
    expect(readdirSync(directory)).toEqual([]);
  });

  test('an id of a dead member is taken over', async () => {
    const directory = testFolder();
    await killedMembers(directory, ['one']);
    const election = await member(directory, { id: 'one' });
    expect(await election.members()).toMatchObject([{ id: 'one', pid: process.pid, data: {} }]);
    await election.leave();
    expect(readdirSync(directory)).toEqual([]);
  });

  test('an id whose name is a folder, a link or a FIFO is refused, and that is left alone', async () => {
    const directory = testFolder();
    mkdirSync(join(directory, 'folder.lock'));
    symlinkSync('nowhere', join(directory, 'link.lock'));
    execFileSync('mkfifo', [join(directory, 'fifo.lock')]);
    const codes = { folder: 'ERR_LOCK_STATE', link: 'ELOOP', fifo: 'ERR_LOCK_UNSUPPORTED' };
    for (const [id, code] of Object.entries(codes)) {
      expect(await errorOf(() => Election.join(directory, { id }))).toMatchObject({ code });
    }
    expect(readdirSync(directory).sort()).toEqual(['fifo.lock', 'folder.lock', 'link.lock']);
    expect(lstatSync(join(directory, 'link.lock')).isSymbolicLink()).toBe(true);
  });

  test('a living member’s that somebody has written into is no member’s, emptied it is one', async () => {
    const directory = testFolder();
    const election = await member(directory, { id: 'a' });
    appendFileSync(join(directory, 'a.lock'), 'scribbled');
    expect(await election.members()).toEqual([]);
    writeFileSync(join(directory, 'a.lock'), '');
    expect(await election.members()).toEqual([
      { id: 'a', pid: null, since: null, self: false, primary: expect.any(Boolean), data: null },
    ]);
  });

  test('whose names are not UTF-8 are no members', async () => {
    const directory = testFolder();
    writeFileSync(
      Buffer.concat([Buffer.from(`${directory}/caf`), Buffer.from([0xe9]), Buffer.from('.lock')]),
      '',
    );
    const election = await member(directory, { id: 'caf\ufffd' });
    expect((await election.members()).map(({ id }) => id)).toEqual(['caf\ufffd']);
  });
});
