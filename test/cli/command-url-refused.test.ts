import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import { keyOf } from '../../src/engines/postgres/key.js';
import { until } from '../support/census.js';
import { finish } from '../support/command.js';
import { hold, tryRun, urlOf } from '../support/command-url.js';
import { testFolder } from '../support/folder.js';
import { ROOT } from '../support/package-project.js';
import { lockName, postgresOfFile, rival } from '../support/postgres.js';
import { needs } from '../support/tools.js';

const server = postgresOfFile();
const test = needs('postgres');

describe('psql', () => {
  needs('postgres', 'psql')('is refused while the command runs', async () => {
    const { url, name } = urlOf(server());
    const attempt = (): string =>
      execFileSync(
        'psql',
        [
          '-X',
          '-q',
          '-A',
          '-t',
          '-h',
          server().folder,
          '-p',
          String(server().port),
          '-U',
          'postgres',
          '-c',
          `SELECT pg_try_advisory_lock(${keyOf(name).text})`,
        ],
        { encoding: 'utf8' },
      ).trim();
    const { child, holder } = await hold(url);
    expect(attempt()).toBe('f');
    process.kill(child, 'SIGKILL');
    await holder.exited;
    await until(() => attempt() === 't');
  });

  test('keeps the command out, and is not known', async () => {
    const { url, name } = urlOf(server());
    const client = await rival(server());
    await client.query(`SELECT pg_advisory_lock(${keyOf(name).text})`);
    const { code, stderr } = await tryRun(url);
    expect({ code, stderr }).toMatchObject({ code: 75 });
    expect(stderr).toContain(`${url} is held by an unknown process`);
  });
});

describe('what the server, or the way to it, says is 65', () => {
  test('one that accepts and says nothing, for as long as -w allows: not that it is held', async () => {
    const mute = createServer((socket) => void socket.resume());
    mute.listen(0, '127.0.0.1');
    await once(mute, 'listening');
    onTestFinished(() => void mute.close());
    const { port } = mute.address() as AddressInfo;
    const calls = [
      [`postgres://a@127.0.0.1:${port}/x#y`, 'the PostgreSQL server has not answered for 2.2s'],
      [
        `etcd://127.0.0.1:${port}/y`,
        `no answer from http://127.0.0.1:${port}: nothing came within 200 ms`,
      ],
    ] as const;
    const each = calls.flatMap(([url, says]) =>
      [
        ['run', '-w', '0.2', url, 'true'],
        ['next-id', '-w', '0.2', '--locker', url, testFolder()],
      ].map(async (words) => {
        const { code, stderr } = await finish(words);
        expect({ code, stderr }).toEqual({ code: 65, stderr: `holdfast: ${url}: ${says}\n` });
      }),
    );
    await Promise.all(each);
  });

  test('an unknown host, a closed port, a database that is not there', async () => {
    const user = 'postgres://postgres@';
    const cases: [url: string, says: string][] = [
      [`${user}no.such.host.invalid/x#y`, 'no.such.host.invalid'],
      [`${user}127.0.0.1:1/x#y`, 'ECONNREFUSED'],
      [`${server().url.replace(/\/postgres$/, '/nowhere')}#y`, '"nowhere" does not exist'],
      [`${server().url}?sslmode=verify-full&sslrootcert=/nowhere#y`, '/nowhere'],
    ];
    for (const [url, says] of cases) {
      const { code, stdout, stderr } = await tryRun(url);
      expect({ code, stdout }).toEqual({ code: 65, stdout: '' });
      expect(stderr).toContain(`holdfast: ${url}: `);
      expect(stderr).toContain(says);
      expect(stderr).not.toContain('    at ');
    }
  });

  test('without the package pg, it says what to type', async () => {
    const folder = testFolder();
    cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
    const command = join(folder, 'dist', 'cli', 'holdfast.js');
    const env = { ...process.env, HOLDFAST_PREBUILD: ROOT };
    const { Program } = await import('../support/program.js');
    const words = [command, 'run', urlOf(server()).url, 'true'];
    const { code, stderr } = await Program.start(process.execPath, words, { env }).end();
    expect({ code, stderr }).toMatchObject({ code: 65 });
    expect(stderr).toContain('npm install pg');
  });
});

describe('credentials', () => {
  const PASSWORD = 'hunter2-not-for-ps';

  async function withPasswords(): Promise<{ url: string }> {
    await server().sql(`DO $$ BEGIN
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'locker') THEN
        CREATE ROLE locker LOGIN SUPERUSER PASSWORD '${PASSWORD}';
      END IF; END $$`);
    const [row] = await server().sql('SHOW hba_file');
    const lines =
      'local all all trust\nhost all locker 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n';
    writeFileSync(String(row?.['hba_file']), lines);
    await server().sql('SELECT pg_reload_conf()');
    await until(
      async () =>
        (await server().sql("SELECT 1 FROM pg_hba_file_rules WHERE user_name = ARRAY['locker']"))
          .length === 1,
    );
    return {
      url: `${server().url.replace('postgres@', 'locker@')}#${encodeURIComponent(lockName())}`,
    };
  }

  test('come from PGPASSWORD and PGPASSFILE, and no command line has them', async () => {
    const { url } = await withPasswords();
    const { holder, child } = await hold(url, { env: { PGPASSWORD: PASSWORD } });
    for (const pid of readdirSync('/proc').filter((each) => /^\d+$/.test(each))) {
      try {
        expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain(PASSWORD);
      } catch (error) {
        if (!['ENOENT', 'ESRCH'].includes(String((error as NodeJS.ErrnoException).code)))
          throw error;
      }
    }
    const file = join(testFolder(), 'pgpass');
    writeFileSync(file, `127.0.0.1:*:*:locker:${PASSWORD}\n`, { mode: 0o600 });
    const refused = await tryRun(url, { PGPASSFILE: file });
    expect(refused.code).toBe(75);
    expect(refused.stderr).toMatch(new RegExp(`is held by pid ${holder.pid} .* on ${hostname()}`));
    expect(refused.stderr).not.toContain(PASSWORD);
    process.kill(child, 'SIGKILL');
  });

  test('that are refused, and those that are not there, are 65', async () => {
    const { url } = await withPasswords();
    const refused = await tryRun(url, { PGPASSWORD: 'wrong' });
    expect(refused).toMatchObject({ code: 65, stdout: '' });
    expect(refused.stderr).toContain('password authentication failed for user "locker"');
    expect(refused.stderr).toContain('PGPASSWORD');
    const none = await tryRun(url, { PGPASSFILE: '/nowhere', PGPASSWORD: '' });
    expect(none).toMatchObject({ code: 65, stdout: '' });
    expect(none.stderr).toContain('use PGPASSWORD or PGPASSFILE');
  });
});
