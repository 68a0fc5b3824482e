import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { main } from '../../src/cli/main.js';
import { FileLock } from '../../src/index.js';
import { until } from '../support/census.js';
import { call, Screen } from '../support/command.js';
import { lockPath, testFolder } from '../support/folder.js';
import { Peer } from '../support/peer.js';

const HEAD = ['PATH', 'STATE', 'HOLDER', 'FOR', 'WAITING', 'DETAIL'];

/** The table by cells; two spaces part them. */
async function table(...argv: string[]): Promise<string[][]> {
  const { stdout } = await call('status', ...argv);
  const lines = stdout.split('\n').slice(0, -1);
  const starts = HEAD.map((word) => (lines[0] ?? '').indexOf(word));
  return lines.map((line) =>
    starts.map((start, index) => line.slice(start, starts[index + 1]).trim()),
  );
}

/** A record that its writer left, as after kill -9. */
async function leaveRecord(path: string, data?: object): Promise<number> {
  const peer = await Peer.start();
  await peer.acquire('a', path, data === undefined ? {} : { data: { ...data } });
  await peer.kill();
  return peer.pid;
}

describe('the table', () => {
  test('of a free and a missing file, as they were typed', async () => {
    const path = lockPath();
    FileLock.acquireSync(path).releaseSync();
    expect(await table(path, `${path}.no`)).toEqual([
      HEAD,
      [path, 'free', '-', '-', '-', '-'],
      [`${path}.no`, 'missing', '-', '-', '-', '-'],
    ]);
    expect(await call('status', path)).toMatchObject({ code: 0, stderr: '' });
  });

  test('of a held file: pid, command, age, waiters and data', async () => {
    const path = lockPath();
    const peers = await Promise.all([Peer.start(), Peer.start(), Peer.start()]);
    const [holder, ...waiters] = peers as [Peer, Peer, Peer];
    await holder.acquire('a', path, { data: { url: 'http://localhost:3000', port: 3000 } });
    await Promise.all(waiters.map((waiter) => waiter.waitFor('b', path)));
    await until(async () => (await holder.inspect(path)).waiters.length === 2);
    const [, row] = await table(path);
    expect(row).toEqual([
      path,
      'held',
      expect.stringMatching(new RegExp(`^${holder.pid} node .{50,60}$`)),
      expect.stringMatching(/^\d+s$/),
      '2',
      'url=http://localhost:3000 port=3000',
    ]);
  });

  test('of shared holders: their pids, and nobody’s age', async () => {
    const path = lockPath();
    const peers = await Promise.all([Peer.start(), Peer.start()]);
    for (const peer of peers) await peer.acquire('a', path, { mode: 'shared' });
    const [, row = []] = await table(path);
    const [, state, holder = '', age] = row;
    expect({ state, age }).toEqual({ state: 'held (shared)', age: '-' });
    const pids = (/^(\d+), (\d+) \(node .*\)$/.exec(holder) ?? []).slice(1).map(Number);
    expect(pids.sort()).toEqual(peers.map(({ pid }) => pid).sort());
  });

  test('of a record whose writer died', async () => {
    const path = lockPath();
    const pid = await leaveRecord(path);
    const [, row = []] = await table(path);
    expect(row).toEqual([
      path,
      `free, not released by ${pid}`,
      '-',
      '-',
      '-',
      expect.stringMatching(/^started \d{4}-\d\d-\d\d \d\d:\d\d$/),
    ]);
  });

  test('of a record whose writer still runs', async () => {
    const path = lockPath();
    const lock = FileLock.acquireSync(path);
    const record = readFileSync(path);
    lock.releaseSync();
    writeFileSync(path, record);
    const [, row = []] = await table(path);
    expect(row[1]).toBe(`free, not released by ${process.pid}`);
    expect(row[5]).toMatch(/^started .*, still running$/);
  });

  test('of a bare pid file: nobody knows since when', async () => {
    const path = lockPath('a.pid');
    writeFileSync(path, '999999999\n');
    writeFileSync(`${path}.lock`, '4194000\n');
    const rows = await table(path, `${path}.lock`);
    expect(rows.map((row) => row[5])).toEqual(['DETAIL', '-', '-']);
  });

  test('without colour and without trailing blanks', async () => {
    const path = lockPath();
    const stdout = new Screen(80);
    expect(await main(['status', path], { stdout, stderr: new Screen(80) })).toBe(0);
    expect(stdout.text).not.toContain('\x1b');
    expect(stdout.text).not.toMatch(/ $/m);
  });

  test('what others wrote cannot steer the terminal', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path, { data: { url: '\x1b]0;title\x07\x1b[2J' } });
    const folder = testFolder();
    writeFileSync(join(folder, 'a\x1b[31m\nb.lock'), '');
    for (const argument of [path, folder]) {
      const { stdout } = await call('status', argument);
      expect(stdout.split('\n')).toHaveLength(3);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that is the point
      expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f]/);
    }
  });
});

describe('a folder', () => {
  test('shows its lock files by name, and itself where it is held', async () => {
    const folder = testFolder();
    using _a = FileLock.acquireSync(join(folder, 'build'));
    FileLock.acquireSync(join(folder, 'old.lock')).releaseSync();
    writeFileSync(join(folder, 'notes.txt'), 'nothing');
    mkdirSync(join(folder, 'below.lock'));
    const names = async (): Promise<(string | undefined)[]> =>
      (await table(folder)).slice(1).map(([path]) => path);
    expect(await names()).toEqual(['build', 'old.lock']);
    using _folder = FileLock.acquireSync(folder);
    expect(await names()).toEqual([folder, 'build', 'old.lock']);
  });

  test('without lock files says so; --json is an empty array', async () => {
    const folder = testFolder();
    expect(await call('status', folder)).toMatchObject({ code: 0, stdout: 'no lock files\n' });
    expect(JSON.parse((await call('status', '--json', folder)).stdout)).toEqual([]);
  });

  test('beside a file: the files of the folder are named so that one finds them', async () => {
    const folder = testFolder();
    FileLock.acquireSync(join(folder, 'a.lock')).releaseSync();
    const rows = await table(`${folder}/`, join(folder, 'a.lock'));
    expect(rows.slice(1).map(([path]) => path)).toEqual([
      join(folder, 'a.lock'),
      join(folder, 'a.lock'),
    ]);
  });
});

describe('--json', () => {
  test('is an array of statuses with dates in ISO', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path, { data: { port: 1 } });
    const { code, stdout, stderr } = await call('status', '--json', path, `${path}.no`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const date = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const holder = { pid: peer.pid, verified: true, since: date, data: { port: 1 } };
    expect(JSON.parse(stdout)).toMatchObject([
      { path, state: 'held', mode: 'exclusive', waiters: [], holders: [holder] },
      { path: `${path}.no`, state: 'missing', mode: null, holders: [], record: null },
    ]);
    expect(JSON.parse(stdout)[0].record).toMatchObject({ pid: peer.pid, since: date });
  });

  test('--probe tells a holder by trying', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path, { mode: 'shared' });
    const { stdout } = await call('status', '--json', '--probe', path);
    expect(JSON.parse(stdout)).toMatchObject([{ state: 'held', mode: 'shared' }]);
  });
});

describe('a path that cannot be inspected', () => {
  test('is 65 and a line on stderr; the others are shown', async () => {
    const path = lockPath();
    const link = `${path}.link`;
    symlinkSync(path, link);
    const { code, stdout, stderr } = await call('status', link, path, '/dev/null');
    expect(code).toBe(65);
    expect(stdout.split('\n')[1]).toMatch(new RegExp(`^${path} +missing`));
    const lines = stderr.split('\n').slice(0, -1);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain(`${link}: `);
    expect(lines[1]).toContain('/dev/null: ');
  });

  test('alone: nothing is on stdout but an empty array', async () => {
    const link = lockPath();
    symlinkSync('nowhere', link);
    expect(await call('status', link)).toMatchObject({ code: 65, stdout: '' });
    const { code, stdout } = await call('status', '--json', link);
    expect({ code, json: JSON.parse(stdout) }).toEqual({ code: 65, json: [] });
  });
});

describe('--watch', () => {
  test('--json: an array a line, one for each change, until it cannot look', async () => {
    const path = lockPath();
    const stdout = new Screen();
    const states = (): unknown[] => stdout.lines.map((line) => JSON.parse(line)[0]?.state);
    const ended = main(['status', '--watch', '--json', path], { stdout, stderr: new Screen() });
    await until(() => states().at(-1) === 'missing');
    const lock = FileLock.acquireSync(path);
    await until(() => states().at(-1) === 'held');
    lock.releaseSync();
    await until(() => states().at(-1) === 'free');
    rmSync(path);
    symlinkSync('nowhere', path);
    expect(await ended).toBe(65);
    expect(states()).toEqual(['missing', 'held', 'free', undefined]);
  });

  test.each([
    ['a terminal is drawn anew', 80, 1],
    ['a pipe is not', undefined, 0],
  ])('%s', async (_, columns, clears) => {
    const path = lockPath();
    const stdout = new Screen(columns);
    const argv = ['status', '--watch', basename(path), path];
    const ended = main(argv, { stdout, stderr: new Screen() });
    await until(() => stdout.text.includes(path));
    expect(stdout.text.split('\x1b[H\x1b[2J')).toHaveLength(clears + 1);
    symlinkSync(dirname(path), path);
    expect(await ended).toBe(65);
  });
});
