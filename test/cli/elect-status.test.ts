import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Election } from '../../src/election.js';
import { FileLock } from '../../src/index.js';
import { call, start } from '../support/command.js';
import { pidOf, SAYS, standBy } from '../support/elect-command.js';
import { testFolder } from '../support/folder.js';

describe('holdfast elect status', () => {
  test('shows members, who is primary and what they run, as a table and as JSON', async () => {
    const directory = testFolder();
    const first = start(['elect', '--id', 'a', directory, ...SAYS('first')]);
    await pidOf(first, 'first');
    const second = await standBy(directory, ['--id', 'b', directory, ...SAYS('second')]);
    const { code, stdout } = await call('elect', 'status', directory);
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/MEMBER.*STATE.*PID/);
    expect(lines[1]).toMatch(new RegExp(`^\\W*a\\s.*primary.*${first.pid}`));
    expect(lines[2]).toMatch(new RegExp(`^\\W*b\\s.*standby.*${second.pid}`));
    const json = await call('elect', 'status', '--json', directory);
    expect(JSON.parse(json.stdout)).toMatchObject({
      members: [
        { id: 'a', pid: first.pid, primary: true, self: false },
        { id: 'b', pid: second.pid, primary: false, self: false },
      ],
      primary: { state: 'held' },
    });
  });

  test('of a folder that is empty, missing or has only the dead: none', async () => {
    const root = testFolder();
    mkdirSync(join(root, 'empty'));
    mkdirSync(join(root, 'dead'));
    writeFileSync(join(root, 'dead', 'x.lock'), 'old heartbeat');
    for (const name of ['empty', 'missing', 'dead']) {
      expect(await call('elect', 'status', join(root, name))).toEqual({
        code: 0,
        stdout: 'no members\n',
        stderr: '',
      });
      const { stdout } = await call('elect', 'status', join(root, name), '--json');
      expect(JSON.parse(stdout)).toMatchObject({ members: [] });
    }
    expect(existsSync(join(root, 'missing'))).toBe(false);
    expect(existsSync(join(root, 'empty', '.primary'))).toBe(false);
  });

  test('removes nothing, and takes no lock of another program’s file for a member', async () => {
    const directory = testFolder();
    writeFileSync(join(directory, 'yarn.lock'), '');
    writeFileSync(join(directory, 'Cargo.lock'), 'version = 4\n');
    const lock = FileLock.acquireSync(join(directory, 'Cargo.lock'));
    onTestFinished(() => lock.releaseSync());
    const { code, stdout } = await call('elect', 'status', directory);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'no members\n' });
    expect(readdirSync(directory).sort()).toEqual(['Cargo.lock', 'yarn.lock']);
  });

  test('the content of a member’s file is data, and hides no other member', async () => {
    const directory = testFolder();
    const holdfast = JSON.stringify({ hostname: 'h', start: '', boot: '', token: 1 });
    const record = (startedAt: string, fields: string): string =>
      `{"pid":2147483647,"startedAt":"${startedAt}",${fields}"holdfast":${holdfast}}\n`;
    const now = '2026-01-17T15:30:00.000Z';
    const contents = {
      array: record(now, '"command":["a"],'),
      object: record(now, '"command":{"toString":1},'),
      nothing: record(now, '"command":null,'),
      first: record('-271821-04-20T00:00:00.000Z', '"command":"first",'),
      last: record('+275760-09-13T00:00:00.000Z', '"command":"last",'),
      proto: record(now, '"__proto__":{"command":1},"toJSON":1,"constructor":1,'),
      escape: record(now, '"command":"\\u001b[31m\\u0000\\ud800",'),
      empty: '',
    };
    const none = { long: 'x'.repeat(10_000_000), deep: '['.repeat(100_000), bytes: '\0\xff' };
    for (const [id, text] of Object.entries({ ...contents, ...none })) {
      const path = join(directory, `${id}.lock`);
      const lock = FileLock.acquireSync(path, { record: false });
      onTestFinished(() => lock.releaseSync());
      writeFileSync(path, text);
    }
    const { code, stdout, stderr } = await call('elect', 'status', directory);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const rows = stdout.trimEnd().split('\n').slice(1);
    const ids = Object.keys(contents).sort();
    expect(rows.map((row) => row.split(' ')[0])).toEqual(ids);
    for (const id of ['array', 'object', 'nothing', 'empty']) {
      expect(rows.find((row) => row.startsWith(`${id} `))).toMatch(/ -$/);
    }
    expect(stdout).not.toContain('\u001b');
    const json = await call('elect', 'status', directory, '--json');
    const { members } = JSON.parse(json.stdout);
    expect(members.map(({ id }: { id: string }) => id)).toEqual(ids);
    expect(members[0]).toMatchObject({ id: 'array', data: { command: ['a'] } });
  });

  test('a seat that cannot be taken does not hide the members', async () => {
    const directory = testFolder();
    const election = await Election.join(directory, { id: 'a' });
    await election.whenPrimary();
    onTestFinished(() => election.leave());
    election.on('error', () => {});
    rmSync(join(directory, '.primary'));
    symlinkSync('nowhere', join(directory, '.primary'));
    const json = await call('elect', 'status', directory, '--json');
    expect(json.code).toBe(0);
    const told = JSON.parse(json.stdout);
    expect(told).toMatchObject({ primary: null, problem: expect.stringContaining('.primary') });
    const table = await call('elect', 'status', directory);
    expect(table.stdout).toContain('no member can be primary');
  });

  test('a name with control characters cannot write to the terminal', async () => {
    const directory = testFolder();
    const election = await Election.join(directory, {
      id: 'a\u001b[31m',
      data: { command: 'x\u001by' },
    });
    onTestFinished(() => election.leave());
    await election.whenPrimary();
    const { stdout } = await call('elect', 'status', directory);
    expect(stdout).not.toContain('\u001b');
    expect(stdout).toContain('primary');
  });
});
