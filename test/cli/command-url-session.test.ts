import { execFileSync } from 'node:child_process';
import { describe, expect } from 'vitest';
import { until } from '../support/census.js';
import { finish, start } from '../support/command.js';
import { FREE, hold, tryRun, urlOf } from '../support/command-url.js';
import { isAlive } from '../support/kernel.js';
import { lockName, postgresOfFile } from '../support/postgres.js';
import { needs } from '../support/tools.js';

const server = postgresOfFile();
const test = needs('postgres');

describe('the session belongs to the command, too', () => {
  const ways: [way: string, prepare: () => Promise<NodeJS.ProcessEnv>, at: () => string][] = [
    ['TCP', async () => ({}), () => server().url],
    [
      'a Unix socket',
      async () => ({ PGHOST: server().folder, PGPORT: String(server().port) }),
      () => 'postgres://postgres@/postgres',
    ],
    ['TLS', useTls, () => `${server().url}?sslmode=no-verify`],
  ];
  for (const [way, prepare, at] of ways) {
    needs('postgres', 'openssl')(
      `over ${way}: holdfast killed, the lock stays until the command ends`,
      async () => {
        const env = await prepare();
        const url = `${at()}#${encodeURIComponent(lockName())}`;
        const { holder, child } = await hold(url, { env });
        await holder.kill('SIGKILL');
        expect(isAlive(child)).toBe(true);
        for (let round = 0; round < 2; round++) {
          expect(await tryRun(url, env)).toMatchObject({ code: 75, stdout: '' });
        }
        process.kill(child, 'SIGKILL');
        expect(
          await finish(['run', '-w', '5', url, 'echo', 'ran'], { env: { ...process.env, ...env } }),
        ).toMatchObject({ code: 0 });
      },
    );

    needs('postgres', 'openssl')(
      `over ${way}: a child that was left in the background holds it`,
      async () => {
        const env = await prepare();
        const url = `${at()}#${encodeURIComponent(lockName())}`;
        const holder = start(['run', url, 'sh', '-c', 'sleep 60 & echo "holds $!"'], {
          env: { ...process.env, ...env },
        });
        expect(await holder.end()).toMatchObject({ code: 0, stderr: '' });
        const child = Number(/holds (\d+)/.exec(holder.stdout)?.[1]);
        expect(await tryRun(url, env)).toMatchObject({ code: 75 });
        process.kill(child, 'SIGKILL');
        expect(
          await finish(['run', '-w', '5', url, 'echo', 'ran'], { env: { ...process.env, ...env } }),
        ).toMatchObject({ code: 0 });
      },
    );
  }

  test('-o: not so', async () => {
    const { url } = urlOf(server());
    const { holder, child } = await hold(url, { options: ['-o'] });
    await holder.kill('SIGKILL');
    expect(await finish(['run', '-w', '5', url, 'echo', 'ran'])).toMatchObject({ code: 0 });
    expect(isAlive(child)).toBe(true);
    const left = start(['run', '-o', url, 'sh', '-c', 'sleep 60 & echo "holds $!"']);
    await left.end();
    expect(await tryRun(url)).toMatchObject(FREE);
    process.kill(Number(/holds (\d+)/.exec(left.stdout)?.[1]), 'SIGKILL');
  });

  test('a script that writes to descriptors it has not opened does not disturb it', async () => {
    const { url } = urlOf(server());
    const script =
      'exec 2>/dev/null; for n in 3 4 5 6 7 8 9; do (eval "echo x >&$n"); done; echo "holds $$"; exec 1>&-; read x; exit 4';
    const { holder } = await hold(url, { command: ['sh', '-c', script] });
    expect(await tryRun(url)).toMatchObject({ code: 75 });
    expect(await holder.end()).toMatchObject({ code: 4, stderr: '' });
  });
});

let hasTls = false;

async function useTls(): Promise<NodeJS.ProcessEnv> {
  if (hasTls) return {};
  hasTls = true;
  const [row] = await server().sql('SHOW data_directory');
  const data = String(row?.['data_directory']);
  const words = `req -new -x509 -nodes -subj /CN=localhost -keyout ${data}/server.key -out ${data}/server.crt`;
  execFileSync('openssl', words.split(' '), { ...server().user, stdio: 'ignore', cwd: data });
  await server().sql('ALTER SYSTEM SET ssl = on');
  await server().sql('SELECT pg_reload_conf()');
  await until(async () => (await server().sql('SHOW ssl'))[0]?.['ssl'] === 'on');
  return {};
}

describe('a lock that is lost', () => {
  const terminate = (): Promise<unknown> =>
    server().sql(`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'`);

  test('ends the command with SIGTERM, and is 65', async () => {
    const { url } = urlOf(server());
    const { holder, child } = await hold(url);
    await terminate();
    const { code, stderr } = await holder.exited;
    expect(isAlive(child)).toBe(false);
    expect({ code, lines: stderr.split('\n').length }).toEqual({ code: 65, lines: 2 });
    expect(stderr).toContain(`holdfast: ${url} was lost`);
    expect(stderr).toContain('; ending sh\n');
  });

  test('kills a command that does not heed SIGTERM, after five seconds', async () => {
    const { url } = urlOf(server());
    const script = 'trap "" TERM; echo "holds $$"; while :; do sleep 0.2; done';
    const { holder, child } = await hold(url, { command: ['sh', '-c', script] });
    const began = performance.now();
    await terminate();
    expect((await holder.exited).code).toBe(65);
    expect(performance.now() - began).toBeGreaterThan(4900);
    expect(isAlive(child)).toBe(false);
  });

  test('is 65 as well where the command ended at the same time', async () => {
    const { url } = urlOf(server());
    const psql = `PGOPTIONS= psql -X -q -A -t -h "$0" -p ${server().port} -U postgres -c`;
    const sql = `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'`;
    const ran = await finish([
      'run',
      url,
      'sh',
      '-c',
      `${psql} "${sql}" >/dev/null`,
      server().folder,
    ]);
    expect(ran).toMatchObject({ code: 65, stderr: expect.stringContaining('was lost') });
  });
});
