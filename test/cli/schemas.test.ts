import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { expired, setUp, time } from '../support/claims-setting.js';
import { call, callIn, finish, start } from '../support/command.js';
import { pidOf, SAYS } from '../support/elect-command.js';
import { lockPath, testFolder } from '../support/folder.js';
import { repository } from '../support/git.js';
import { Program } from '../support/program.js';
import { expectSchema } from '../support/schemas.js';
import { needs } from '../support/tools.js';

/** What a command printed, which its schema describes. */
async function json(schema: string, ...words: string[]): Promise<never> {
  const { stdout } = await call(...words);
  const value = JSON.parse(stdout);
  expectSchema(schema, value);
  return value as never;
}

describe('what is printed is as the schemas say', () => {
  test('status: missing, free, held, shared, with data, and not released', async () => {
    const folder = testFolder();
    const at = (name: string): string => join(folder, name);
    using _held = FileLock.acquireSync(at('held.lock'), { data: { url: 'http://localhost' } });
    using _shared = FileLock.acquireSync(at('shared.lock'), { mode: 'shared' });
    using _alone = FileLock.acquireSync(at('pid.lock'), { record: 'pid' });
    FileLock.acquireSync(at('free.lock')).releaseSync();
    const dead = start(['run', at('dead.lock'), 'sh', '-c', 'echo ready; exec sleep 60']);
    await dead.says('ready');
    process.kill(-dead.pid, 'SIGKILL');
    await dead.exited;
    const waiter = start(['run', at('held.lock'), 'true']);
    await waiter.says('waiting', 'stderr');
    writeFileSync(at('other.lock'), 'not ours');
    const paths = ['held', 'shared', 'pid', 'free', 'dead', 'other', 'no'].map((name) =>
      at(`${name}.lock`),
    );
    const statuses: { state: string }[] = await json('status.json', 'status', '--json', ...paths);
    const states = statuses.map(({ state }) => state);
    expect(states).toEqual(['held', 'held', 'held', 'free', 'stale', 'free', 'missing']);
    await json('status.json', 'status', '--json', folder);
  });

  needs('python3')('status: an fcntl lock of another program', async () => {
    const path = lockPath();
    const source = `
import fcntl, sys
file = open(sys.argv[1], 'w')
fcntl.lockf(file, fcntl.LOCK_EX)
print('locked', flush=True)
sys.stdin.read()`;
    const other = Program.start('python3', ['-c', source, path]);
    await other.says('locked');
    const [status] = (await json('status.json', 'status', '--json', path)) as { otherLocks: [] }[];
    expect(status?.otherLocks).toHaveLength(1);
  });

  test('status --watch: one array in each line', async () => {
    const path = lockPath();
    const watch = start(['status', '--watch', '--json', path]);
    await watch.says('"missing"');
    using _lock = FileLock.acquireSync(path);
    await watch.says('"held"');
    const { stdout } = await watch.kill('SIGTERM');
    for (const line of stdout.trimEnd().split('\n')) expectSchema('status.json', JSON.parse(line));
  });

  test('elect status: with members, with none, and with a file of another program', async () => {
    const folder = testFolder();
    await json('elect-status.json', 'elect', 'status', '--json', folder);
    const member = start(['elect', '--id', 'a', folder, ...SAYS('first')]);
    await pidOf(member, 'first');
    const found = await json('elect-status.json', 'elect', 'status', '--json', folder);
    expect(found).toMatchObject({ members: [{ id: 'a' }], primary: { state: 'held' } });
    const odd = testFolder();
    mkdirSync(join(odd, '.primary'));
    const problem = await json('elect-status.json', 'elect', 'status', '--json', odd);
    expect(problem).toHaveProperty('problem');
  });

  test('doctor', async () => {
    await json('doctor.json', 'doctor', '--json', testFolder());
  });

  test('claims in every state, and conflicts between them', async () => {
    const { folder, directory, put } = setUp();
    const args = ['--dir', directory, '--root', folder];
    put('one', { files: ['src/**'], task_description: 'Work' });
    put('two', { directories: ['src/two'], except: ['src/two/x'] });
    put('old', expired);
    writeFileSync(join(directory, 'odd.lock'), '{');
    const list: { state: string }[] = await json(
      'claim-list.json',
      'claim',
      'list',
      '--json',
      ...args,
    );
    expect(list.map(({ state }) => state).sort()).toEqual([
      'conflicting',
      'conflicting',
      'expired',
      'invalid',
    ]);
    const conflicts = await json('claim-audit.json', 'claim', 'audit', '--json', ...args);
    expect(conflicts).toHaveLength(1);
    const paths = ['src/two/a', 'else', '/'];
    const check = [
      'claim',
      'check',
      '--json',
      '--ignore-invalid',
      '--agent',
      'three',
      ...args,
      ...paths,
    ];
    const verdicts: { verdict: string }[] = await json('claim-check.json', ...check);
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(['other', 'unclaimed', 'outside']);
    const pruned = await json('claim-prune.json', 'claim', 'prune', '--json', ...args);
    expect(pruned).toHaveLength(1);
  });

  test('a claim that is added, bound to a session, and waited for', async () => {
    const { folder, directory } = setUp();
    const args = ['--dir', directory, '--root', folder];
    const session = ['--session', String(process.pid)];
    const add = ['claim', 'add', '--json', '--agent', 'a', ...session, ...args, 'src', 'b.ts'];
    expect(await json('claim-add.json', ...add)).toMatchObject({ session: { pid: process.pid } });
    const waiter = start(['claim', 'wait', '--json', '--agent', 'b', ...args, 'src/c.ts']);
    await waiter.says('waiting', 'stderr');
    const [held] = (await json('claim-list.json', 'claim', 'list', '--json', ...args)) as {
      waiters: string[];
    }[];
    expect(held?.waiters).toEqual(['b']);
    await call('claim', 'release', '--agent', 'a', '--force', ...args);
    expectSchema('claim-add.json', JSON.parse((await waiter.exited).stdout));
    const run = ['claim', 'run', '--agent', 'c', ...args, 'd', '--', 'sh', '-c', 'echo; cat'];
    const bound = start(run);
    await bound.says('\n');
    await json('claim-list.json', 'claim', 'list', '--json', ...args);
    expect((await bound.end()).code).toBe(0);
  });

  needs('git')('claims in two repositories at once', async () => {
    const folder = testFolder();
    for (const name of ['one', 'two']) repository(join(folder, name));
    const words = ['claim', 'add', '--json', '--agent', 'a', 'one/x', 'two/y'];
    const { stdout } = await callIn(folder, ...words);
    const claims = JSON.parse(stdout);
    expect(claims).toHaveLength(2);
    expectSchema('claim-add.json', claims);
  });

  test('plan: waves and the resolutions of conflicts', async () => {
    const file = join(testFolder(), 'plan.json');
    const requests = [
      { agent: 'a', directories: ['app'] },
      { agent: 'b', files: ['**/*.test.ts'] },
      { agent: 'c', files: ['app/x.ts'], task_description: 'Fix' },
      { agent: 'd', files: ['app/x.ts'] },
    ];
    writeFileSync(file, JSON.stringify(requests));
    const plan: { conflicts: object[] } = await json(
      'claim-plan.json',
      'claim',
      'plan',
      '--json',
      file,
    );
    expect(plan.conflicts.length).toBeGreaterThan(2);
  });

  test('watch: one object in each line', async () => {
    const { folder, directory, put } = setUp();
    put('one', { expires_at: time(3_600_000) });
    const args = ['--dir', directory, '--root', folder];
    const watch = start(['claim', 'watch', '--json', ...args]);
    await watch.says('claimed');
    await finish(['claim', 'add', '--agent', 'two', '--task', 'T', ...args, 'x']);
    await watch.says('"two"');
    await finish(['claim', 'release', '--agent', 'two', ...args]);
    await watch.says('released');
    const { stdout } = await watch.kill('SIGTERM');
    const lines = stdout.trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(2);
    for (const line of lines) expectSchema('claim-watch.json', JSON.parse(line));
  });
});

test('a schema notices a field that it lacks, and one that is missing', () => {
  const event = {
    at: new Date().toISOString(),
    event: 'claimed',
    agents: ['a'],
    files: [],
    directories: [],
    task: null,
    blockedBy: [],
  };
  expectSchema('claim-watch.json', event);
  expect(() => expectSchema('claim-watch.json', { ...event, more: 1 })).toThrow();
  expect(() => expectSchema('claim-watch.json', { ...event, event: 'else' })).toThrow();
  expect(() => expectSchema('claim-watch.json', { ...event, at: 'now' })).toThrow();
  const { task: _task, ...less } = event;
  expect(() => expectSchema('claim-watch.json', less)).toThrow();
});
