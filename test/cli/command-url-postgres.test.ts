import { describe, expect } from 'vitest';
import { until } from '../support/census.js';
import { COMMAND, finish, onTerminal, start } from '../support/command.js';
import { FREE, heldBy, hold, tryRun, urlOf } from '../support/command-url.js';
import { lockName, postgresOfFile, waiters } from '../support/postgres.js';
import { needs } from '../support/tools.js';

const server = postgresOfFile();
const test = needs('postgres');

describe('holdfast run with a lock of PostgreSQL', () => {
  test('runs the command with the token, which grows, and passes on its exit', async () => {
    const { url } = urlOf(server());
    let last = 0;
    for (const code of [0, 7]) {
      const ran = await finish(['run', url, '-c', `echo $HOLDFAST_TOKEN; exit ${code}`]);
      expect(ran).toMatchObject({ code, stderr: '' });
      expect(Number(ran.stdout)).toBeGreaterThan(last);
      last = Number(ran.stdout);
    }
    expect(await server().lockCount()).toBe(0);
  });

  test('refuses as on files, and names the holder', async () => {
    const { url } = urlOf(server());
    const { holder } = await hold(url);
    const refused = await tryRun(url);
    expect(refused).toMatchObject({ code: 75, stdout: '' });
    const [first = '', second, ...rest] = refused.stderr.split('\n');
    expect(first).toMatch(heldBy(url, holder.pid));
    const see = `use -w SECONDS to wait, or see: holdfast status ${url}`;
    expect([second, ...rest]).toEqual([`holdfast: command not run; ${see}`, '']);
    const late = await finish(['run', '-w', '300ms', '-E', '9', url, 'echo', 'ran']);
    expect(late).toMatchObject({ code: 9, stdout: '' });
    expect(late.stderr).toContain(` of 300 ms for ${url}, held by pid`);
    expect(late.stderr).toContain(`holdfast: gave up after 300 ms: ${url} is held by pid`);
    expect(await finish(['run', '-q', '-n', url, 'echo'])).toMatchObject({ code: 75, stderr: '' });
  });

  test('shows the statements that a role needs, a line each', async () => {
    await server().sql('CREATE DATABASE bare');
    await server().sql('CREATE ROLE plain LOGIN');
    const { port } = server();
    const ran = await finish(['run', `postgres://plain@127.0.0.1:${port}/bare#x`, 'echo', 'ran']);
    expect(ran).toMatchObject({ code: 65, stdout: '' });
    const [first, ...statements] = ran.stderr.trimEnd().split('\n');
    expect(first).toMatch(/^holdfast: .*"?plain"? may not create .*:$/);
    expect(statements).toHaveLength(4);
    for (const each of statements) {
      await server().sql(each.replace(/^holdfast: {3}/, ''), 'bare');
    }
    const again = await finish(['run', `postgres://plain@127.0.0.1:${port}/bare#x`, 'echo', 'ran']);
    expect(again).toMatchObject({ code: 0, stdout: 'ran\n' });
  });

  test('waits its turn, says so, and how long', async () => {
    const { url } = urlOf(server());
    const { child } = await hold(url);
    const second = start(['run', '--verbose', url, 'echo', 'ran']);
    await second.says(` for ${url}, held by pid`, 'stderr');
    process.kill(child, 'SIGKILL');
    const { code, stdout, stderr } = await second.exited;
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'ran\n' });
    expect(stderr).toContain(`acquired ${url} after `);
    expect(stderr).toContain('executing echo');
  });

  test('shares it with -s, and keeps an exclusive one out', async () => {
    const { url } = urlOf(server());
    await hold(url, { options: ['-s'] });
    expect(await finish(['run', '-n', '-s', url, 'echo', 'ran'])).toMatchObject(FREE);
    expect(await tryRun(url)).toMatchObject({ code: 75 });
  });

  test('says what the quotes of a shell are for', async () => {
    const url = `${server().url}?loss=9s&sslmode=disable#${encodeURIComponent(lockName())}`;
    await hold(url);
    expect((await tryRun(url)).stderr).toContain(`see: holdfast status '${url}'`);
  });

  needs('postgres', 'python3')('on a terminal, the line counts those ahead', async () => {
    const { url } = urlOf(server());
    const { holder } = await hold(url);
    const second = start(['run', url, 'true']);
    await until(async () => (await waiters(server())) === 1);
    const third = onTerminal(process.execPath, COMMAND, 'run', url, 'echo', 'ran');
    await third.says(` for ${url}, held by pid ${holder.pid}`);
    await third.says(', 1 ahead');
    await holder.kill('SIGTERM');
    expect((await second.exited).code).toBe(0);
    expect((await third.end()).stdout).toContain('ran');
  });

  test('SIGTERM ends a wait, and the server forgets it', async () => {
    const { url } = urlOf(server());
    await hold(url);
    const second = start(['run', url, 'echo', 'ran']);
    await second.says('waiting', 'stderr');
    await until(async () => (await waiters(server())) === 1);
    expect(await second.kill('SIGTERM')).toMatchObject({ signal: 'SIGTERM', stdout: '' });
    expect(await waiters(server())).toBe(0);
  });

  test('a signal goes to the command, whose exit is passed on', async () => {
    const { url } = urlOf(server());
    const { holder } = await hold(url);
    expect(await holder.kill('SIGTERM')).toMatchObject({ code: 143, stderr: '' });
    expect(await tryRun(url)).toMatchObject(FREE);
  });

  test('what cannot be run is 69, and the lock is free', async () => {
    const { url } = urlOf(server());
    expect(await finish(['run', url, './nowhere'])).toMatchObject({ code: 69 });
    expect(await tryRun(url)).toMatchObject(FREE);
  });
});
