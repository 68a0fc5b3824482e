import { execFileSync } from 'node:child_process';
import { describe, expect, onTestFinished } from 'vitest';
import { until } from '../support/census.js';
import { endProcess } from '../support/claims-peer.js';
import { finish } from '../support/command.js';
import { heldBy, hold, tryRun, urlOf } from '../support/command-url.js';
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
        const refused = await tryRun(url, env);
        expect(refused).toMatchObject({ code: 75, stdout: '' });
        expect(refused.stderr.split('\n')[0]).toMatch(heldBy(url, holder.pid));
        process.kill(child, 'SIGKILL');
        await until(async () => (await server().lockCount()) === 0);
      },
    );

    needs('postgres', 'openssl')(
      `over ${way}: a child that was left in the background holds it`,
      async () => {
        const env = await prepare();
        const url = `${at()}#${encodeURIComponent(lockName())}`;
        const words = ['run', url, 'sh', '-c', 'sleep 60 & echo "holds $!"'];
        const { code, stdout, stderr } = await finish(words, { env: { ...process.env, ...env } });
        const child = Number(/holds (\d+)/.exec(stdout)?.[1]);
        onTestFinished(() => endProcess(child));
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
        // What ends a session takes a moment, so look twice.
        for (let round = 0; round < 2; round++) {
          expect(await server().lockCount()).toBe(1);
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
        process.kill(child, 'SIGKILL');
        await until(async () => (await server().lockCount()) === 0);
      },
    );
  }

  test('-o: not so', async () => {
    const { url } = urlOf(server());
    const { holder, child } = await hold(url, { options: ['-o'] });
    await holder.kill('SIGKILL');
    await until(async () => (await server().lockCount()) === 0);
    expect(isAlive(child)).toBe(true);
    const left = await finish(['run', '-o', url, 'sh', '-c', 'sleep 60 & echo "holds $!"']);
    onTestFinished(() => endProcess(Number(/holds (\d+)/.exec(left.stdout)?.[1])));
    // It was released before its end.
    expect(await server().lockCount()).toBe(0);
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
