import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { until } from '../support/census.js';
import { finish, start } from '../support/command.js';
import { FREE, HOLDS_TEXT, hold, tryRun, urlOf } from '../support/command-url.js';
import { etcdForFile } from '../support/etcd-server.js';
import { testFolder } from '../support/folder.js';
import { postgresOfFile, waiters } from '../support/postgres.js';
import { expectSchema } from '../support/schemas.js';
import { needs } from '../support/tools.js';

const server = postgresOfFile();
const etcd = etcdForFile();
const test = needs('postgres', 'etcd');

const etcdUrl = (name: string): string => `etcd://${new URL(etcd.server.endpoint).host}/${name}`;

describe('holdfast status', () => {
  test('shows locks of servers beside files', async () => {
    const { url } = urlOf(server());
    const free = etcdUrl('free');
    const { holder } = await hold(url);
    const second = start(['run', url, 'true']);
    await until(async () => (await waiters(server())) === 1);
    const path = join(testFolder(), 'no.lock');
    const { code, stdout, stderr } = await finish(['status', '--probe', url, free, path]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const rows = stdout.split('\n').map((row) => row.split(/ {2,}/));
    expect(rows.slice(0, 4)).toEqual([
      ['PATH', 'STATE', 'HOLDER', 'FOR', 'WAITING', 'DETAIL'],
      [
        url,
        'held',
        `${holder.pid} ${HOLDS_TEXT}`,
        expect.stringMatching(/^\d+s$/),
        '1',
        `on ${hostname()}`,
      ],
      [free, 'free', '-', '-', '-', '-'],
      [path, 'missing', '-', '-', '-', '-'],
    ]);
    const statuses = JSON.parse((await finish(['status', '--json', url])).stdout);
    expectSchema('status.json', statuses);
    const [held] = statuses;
    expect(held).toMatchObject({
      path: url,
      state: 'held',
      mode: null,
      holders: [
        {
          pid: holder.pid,
          hostname: hostname(),
          command: HOLDS_TEXT,
          source: 'server',
          self: false,
        },
      ],
      waiters: [{ pid: second.pid, hostname: hostname(), command: 'true' }],
      record: null,
      otherLocks: [],
    });
    expect(new Date(held.holders[0].since).getTime()).toBeGreaterThan(Date.now() - 60_000);
    await holder.kill('SIGTERM');
    expect(await second.exited).toMatchObject({ code: 0 });
  });

  test('--watch prints again at a change', async () => {
    const url = etcdUrl('watched');
    const watching = start(['status', '--watch', '--json', url]);
    await watching.says('"state":"free"');
    const { holder } = await hold(url);
    await watching.says('"state":"held"');
    await holder.kill('SIGTERM');
    await until(() => watching.stdout.trim().split('\n').length === 3);
    await watching.kill('SIGTERM');
  });

  test('a server that is not there is 65; the others are shown', async () => {
    const away = 'postgres://127.0.0.1:1/x#y';
    const { code, stdout, stderr } = await finish(['status', away, etcdUrl('free')]);
    expect({ code, stderr }).toMatchObject({ code: 65 });
    expect(stdout).toContain('free');
    expect(stderr).toMatch(/^holdfast: cannot inspect postgres:\S*#y: connect ECONNREFUSED.*\n$/);
  });
});

describe('next-id --locker', () => {
  /** A command that says its id, and makes the entry when its stdin ends. */
  const MAKES = ['sh', '-c', 'echo "id {id} $$"; read x; mkdir "$0/{id}"'];

  for (const [what, url] of [
    ['PostgreSQL', () => server().url],
    ['PostgreSQL, with a name', () => urlOf(server()).url],
    ['etcd', () => etcdUrl('')],
    ['etcd, with a name', () => etcdUrl('ids')],
  ] as const) {
    test(`from two working directories, on ${what}`, async () => {
      const folder = testFolder();
      mkdirSync(join(folder, 'tasks'));
      mkdirSync(join(folder, 'other'));
      const locker = url();
      const first = start(
        ['next-id', '--locker', locker, 'tasks', ...MAKES, join(folder, 'tasks')],
        {
          cwd: folder,
        },
      );
      await first.says('id 1 ');
      const refused = await finish(['next-id', '-w', '0', '--locker', locker, '../tasks'], {
        cwd: join(folder, 'other'),
      });
      expect(refused).toMatchObject({ code: 75, stdout: '' });
      expect(refused.stderr).toContain('no id given: the ids of ../tasks are held by pid');
      const second = start(['next-id', '--locker', locker, '../tasks'], {
        cwd: join(folder, 'other'),
      });
      expect((await first.end()).code).toBe(0);
      expect(await second.end()).toMatchObject({ code: 0, stdout: '2\n', stderr: '' });
    });
  }

  test('two folders have one lock with a name, and each one without', async () => {
    const [one, other] = [testFolder(), testFolder()];
    for (const locker of [server().url, urlOf(server()).url, etcdUrl('')]) {
      const words = ['next-id', '--locker', locker, '--with', other, one];
      expect(await finish(words)).toMatchObject({ code: 0, stderr: '' });
    }
    expect(await finish(['next-id', other])).toMatchObject({ stdout: '4\n' });
    expect(await server().lockCount()).toBe(0);
  });

  test('holdfast killed: on PostgreSQL, others still wait for its command', async () => {
    const { url } = urlOf(server());
    const folder = testFolder();
    // Node closes the stdin of a child that ends, so it does not read from that.
    const runs = ['sh', '-c', 'echo "id {id} $$"; exec sleep 60'];
    const first = start(['next-id', '--locker', url, folder, ...runs]);
    await first.says('id 1 ');
    const held = await tryRun(url);
    expect(held.stderr).toContain(`is held by pid ${first.pid} (sh -c echo`);
    await first.kill('SIGKILL');
    expect(await tryRun(url)).toMatchObject({ code: 75 });
    process.kill(Number(/id 1 (\d+)/.exec(first.stdout)?.[1]), 'SIGKILL');
    expect(await finish(['run', '-q', url, 'echo', 'ran'])).toMatchObject(FREE);
  });

  test('a lock that is lost: the command ends, and it is 65', async () => {
    const { url } = urlOf(server());
    const folder = testFolder();
    const first = start(['next-id', '--locker', url, folder, ...MAKES, folder]);
    await first.says('id 1 ');
    await server().sql(
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'`,
    );
    const { code, stderr } = await first.exited;
    expect({ code, stderr }).toMatchObject({ code: 65 });
    expect(stderr).toContain(`holdfast: ${url} was lost`);
    expect(await finish(['next-id', folder])).toMatchObject({ stdout: '1\n' });
  });

  test('refused credentials, a server that is not there: 65', async () => {
    const nobody = urlOf(server()).url.replace('postgres@', 'nobody-of-that-name@');
    for (const locker of [nobody, 'etcd://127.0.0.1:1/x']) {
      const { code, stdout, stderr } = await finish(['next-id', '--locker', locker, testFolder()]);
      expect({ code, stdout }).toEqual({ code: 65, stdout: '' });
      expect(stderr).toContain(locker);
    }
  });
});
