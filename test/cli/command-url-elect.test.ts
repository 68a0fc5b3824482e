import { hostname } from 'node:os';
import { describe, expect } from 'vitest';
import { until } from '../support/census.js';
import { finish, start } from '../support/command.js';
import { urlOf } from '../support/command-url.js';
import { pidOf, SAYS } from '../support/elect-command.js';
import { etcdForFile } from '../support/etcd-server.js';
import { isAlive } from '../support/kernel.js';
import { postgresOfFile } from '../support/postgres.js';
import type { Program } from '../support/program.js';
import { expectSchema } from '../support/schemas.js';
import { needs } from '../support/tools.js';

const server = postgresOfFile();
const etcd = etcdForFile();
let count = 0;

const engines = [
  { engine: 'PostgreSQL', tool: 'postgres', url: () => urlOf(server()).url },
  {
    engine: 'etcd',
    tool: 'etcd',
    url: () => `etcd://${new URL(etcd.server.endpoint).host}/seat%20${++count}`,
  },
] as const;

function termOf(program: Program): number {
  return Number(/term (\d+)/.exec(program.stdout)?.[1]);
}

async function members(url: string): Promise<{ pid: number; primary: boolean }[]> {
  const status = JSON.parse((await finish(['elect', 'status', '--json', url])).stdout);
  expectSchema('elect-status.json', status);
  return status.members;
}

async function twoMembers(url: string): Promise<[first: Program, second: Program]> {
  const first = start(['elect', url, ...SAYS('first')]);
  await pidOf(first, 'first');
  const second = start(['elect', url, ...SAYS('second')]);
  await until(async () => (await members(url)).length === 2);
  return [first, second];
}

for (const { engine, tool, url: newUrl } of engines) {
  const test = needs(tool);

  describe(`holdfast elect on ${engine}`, () => {
    test('one runs its command; when that has ended, the next one does, with a larger term', async () => {
      const url = newUrl();
      const [first, second] = await twoMembers(url);
      const primary = `${hostname()}:${first.pid}`;
      await second.says(
        `standing by as ${hostname()}:${second.pid}; primary is ${primary}`,
        'stderr',
      );
      expect(second.stdout).toBe('');
      expect(await members(url)).toMatchObject([
        { id: primary, pid: first.pid, primary: true },
        { id: `${hostname()}:${second.pid}`, pid: second.pid, primary: false },
      ]);
      expect((await finish(['elect', 'status', url])).stdout.split('\n')).toEqual([
        expect.stringMatching(/^MEMBER +STATE +PID +FOR +COMMAND$/),
        expect.stringMatching(new RegExp(`^${primary} +primary +${first.pid} `)),
        expect.stringMatching(new RegExp(` standby +${second.pid} `)),
        '',
      ]);
      expect((await first.end()).code).toBe(7);
      await pidOf(second, 'second');
      expect(termOf(second)).toBeGreaterThan(termOf(first));
      expect((await second.end()).code).toBe(7);
      expect((await finish(['elect', 'status', url])).stdout).toBe('no members\n');
    });

    test('outlasts a server that is not there, says so once, and heeds signals', async () => {
      const away = newUrl().replace(/127\.0\.0\.1:\d+/, '127.0.0.1:1');
      const program = start(['elect', away, 'true']);
      await program.says('ECONNREFUSED', 'stderr');
      // Shows that nothing more is said at the next try.
      await new Promise((resolve) => setTimeout(resolve, 1300));
      expect(program.stderr.split('\n')).toEqual([
        expect.stringMatching(/^holdfast: .*ECONNREFUSED.*; trying again each second$/),
        '',
      ]);
      expect(await program.kill('SIGTERM')).toMatchObject({ signal: 'SIGTERM', stdout: '' });
    });

    test('SIGTERM ends a standby, and nobody stands behind it', async () => {
      const url = newUrl();
      const [first, second] = await twoMembers(url);
      expect(await second.kill('SIGTERM')).toMatchObject({ signal: 'SIGTERM', stdout: '' });
      expect(await members(url)).toHaveLength(1);
      expect((await first.end()).code).toBe(7);
    });
  });
}

describe('on PostgreSQL', () => {
  const test = needs('postgres');

  test('the seat lives with the command of a holdfast that was killed', async () => {
    const { url } = urlOf(server());
    const runs = 'echo "first $$ term"; exec sleep 60';
    const first = start(['elect', url, 'sh', '-c', runs]);
    const command = await pidOf(first, 'first');
    const second = start(['elect', url, ...SAYS('second')]);
    await second.says('standing by', 'stderr');
    await first.kill('SIGKILL');
    expect(isAlive(command)).toBe(true);
    expect(await members(url)).toMatchObject([
      { pid: first.pid, primary: true },
      { pid: second.pid, primary: false },
    ]);
    expect(second.stdout).toBe('');
    process.kill(command, 'SIGKILL');
    await pidOf(second, 'second');
    expect((await second.end()).code).toBe(7);
  });

  test('a session that the server ends: SIGTERM for the command, and 65', async () => {
    const { url } = urlOf(server());
    const first = start(['elect', url, ...SAYS('first')]);
    const command = await pidOf(first, 'first');
    await server().sql(
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'`,
    );
    const { code, stderr } = await first.exited;
    expect(isAlive(command)).toBe(false);
    expect({ code, stderr }).toMatchObject({ code: 65 });
    expect(stderr).toContain(`holdfast: ${url} was lost`);
  });

  test('refused credentials are 65', async () => {
    const { url } = urlOf(server());
    const nobody = url.replace('postgres@', 'nobody-of-that-name@');
    const { code, stderr } = await finish(['elect', nobody, 'true']);
    expect({ code, stderr }).toMatchObject({ code: 65 });
    expect(stderr).toContain('"nobody-of-that-name" does not exist');
  });
});
