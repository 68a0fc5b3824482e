// A throwaway server on the loopback, as the tests of this repository have them.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const START_MILLISECONDS = 20_000;

/** `postgres`, `etcd`, or the URL of a server that runs already. */
export async function startServer(engine) {
  if (engine === 'postgres') return startPostgres();
  if (engine === 'etcd') return startEtcd();
  return { url: engine, stop: async () => {} };
}

async function startPostgres() {
  const programs = findPostgres();
  const folder = mkdtempSync(join(tmpdir(), 'fleet-'));
  const port = await freePort();
  // PostgreSQL refuses to run as root.
  const user = process.getuid() === 0 ? userOf('postgres') : undefined;
  if (user !== undefined) execFileSync('chown', [`${user.uid}:${user.gid}`, folder]);
  const run = (name, args) =>
    execFileSync(join(programs, name), args, { ...user, cwd: folder, stdio: 'ignore' });
  const data = join(folder, 'data');
  run('initdb', ['--no-sync', '-A', 'trust', '-U', 'fleet', data]);
  const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${folder}`;
  run('pg_ctl', ['start', '-w', '-D', data, '-l', join(folder, 'log'), '-o', options]);
  return {
    url: `postgres://fleet@127.0.0.1:${port}/postgres`,
    stop: async () => {
      run('pg_ctl', ['stop', '-w', '-D', data, '-m', 'immediate']);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function findPostgres() {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian) : [];
  const folders = [...versions.map((each) => join(debian, each, 'bin')), ...pathFolders()];
  const found = folders.find((folder) => existsSync(join(folder, 'initdb')));
  if (found === undefined) throw new Error('initdb is missing: install PostgreSQL, or give a URL');
  return found;
}

const pathFolders = () => (process.env.PATH ?? '').split(':');

function userOf(name) {
  const line = new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, 'm').exec(
    readFileSync('/etc/passwd', 'utf8'),
  );
  if (line === null) throw new Error(`there is no user '${name}'`);
  return { uid: Number(line[1]), gid: Number(line[2]) };
}

async function startEtcd() {
  if (!pathFolders().some((folder) => existsSync(join(folder, 'etcd')))) {
    throw new Error('etcd is missing: install it, or give a URL');
  }
  const folder = mkdtempSync(join(tmpdir(), 'fleet-'));
  const url = `http://127.0.0.1:${await freePort()}`;
  const peers = `http://127.0.0.1:${await freePort()}`;
  const server = spawn(
    'etcd',
    [
      ...['--data-dir', folder, '--listen-client-urls', url, '--advertise-client-urls', url],
      ...['--listen-peer-urls', peers, '--initial-advertise-peer-urls', peers],
      ...['--initial-cluster', `default=${peers}`],
    ],
    { stdio: 'ignore' },
  );
  const end = performance.now() + START_MILLISECONDS;
  while (!(await answers(`${url}/health`))) {
    if (server.exitCode !== null || performance.now() > end) throw new Error('etcd does not start');
    await pause(50);
  }
  return {
    url,
    stop: async () => {
      const exited = once(server, 'exit');
      server.kill('SIGKILL');
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function answers(url) {
  return fetch(url, { signal: AbortSignal.timeout(1000) }).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
