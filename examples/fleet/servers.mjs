// A throwaway server on the loopback, as in the tests of this repository.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const START_MILLISECONDS = 20_000;

/**
 * `engine` is `postgres`, `etcd`, or the URL of a running server. `stop` may be
 * called at any time, even during the start.
 */
export function throwawayServer(engine) {
  if (engine === 'postgres') return new Postgres();
  if (engine === 'etcd') return new Etcd();
  return { url: engine, start: async () => {}, stop: async () => {} };
}

class Postgres {
  #folder = mkdtempSync(join(tmpdir(), 'fleet-'));
  #data = join(this.#folder, 'data');
  #running = Promise.resolve();
  #programs;
  #isStopped = false;
  // PostgreSQL refuses to run as root.
  #user = process.getuid() === 0 ? userOf('postgres') : undefined;

  async start() {
    this.#programs = findPostgres();
    const port = await freePort();
    this.url = `postgres://fleet@127.0.0.1:${port}/postgres`;
    if (this.#user !== undefined) {
      chownSync(this.#folder, this.#user.uid, this.#user.gid);
    }
    const folder = this.#folder;
    const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${folder}`;
    await this.#run('initdb', ['--no-sync', '-A', 'trust', '-U', 'fleet', this.#data]);
    await this.#run('pg_ctl', [
      ...['start', '-w', '-D', this.#data, '-l', join(folder, 'log'), '-o', options],
    ]);
  }

  async stop() {
    this.#isStopped = true;
    // Otherwise a server that is just starting would be missed.
    await this.#running.catch(() => {});
    if (existsSync(join(this.#data, 'postmaster.pid'))) {
      await this.#execute('pg_ctl', ['stop', '-w', '-D', this.#data, '-m', 'immediate']);
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #run(name, args) {
    if (this.#isStopped) throw new Error('stopped');
    this.#running = this.#execute(name, args);
    await this.#running;
  }

  /** In its own process group: CTRL-C must not end it half-way. */
  #execute(name, args) {
    const options = { ...this.#user, cwd: this.#folder, detached: true, stdio: 'ignore' };
    const program = spawn(join(this.#programs, name), args, options);
    return new Promise((resolve, reject) => {
      program.on('error', reject);
      program.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${name} failed`))));
    });
  }
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

class Etcd {
  #folder = mkdtempSync(join(tmpdir(), 'fleet-'));
  #server;
  #isStopped = false;

  async start() {
    if (!pathFolders().some((folder) => existsSync(join(folder, 'etcd')))) {
      throw new Error('etcd is missing: install it, or give a URL');
    }
    this.url = `http://127.0.0.1:${await freePort()}`;
    const peers = `http://127.0.0.1:${await freePort()}`;
    const args = [
      ...['--data-dir', this.#folder],
      ...['--listen-client-urls', this.url, '--advertise-client-urls', this.url],
      ...['--listen-peer-urls', peers, '--initial-advertise-peer-urls', peers],
      ...['--initial-cluster', `default=${peers}`],
    ];
    if (this.#isStopped) throw new Error('stopped');
    this.#server = spawn('etcd', args, { stdio: 'ignore', detached: true });
    const end = performance.now() + START_MILLISECONDS;
    while (!(await answers(`${this.url}/health`))) {
      if (this.#hasEnded() || performance.now() > end) throw new Error('etcd does not start');
      await pause(50);
    }
  }

  async stop() {
    this.#isStopped = true;
    if (this.#server !== undefined && !this.#hasEnded()) {
      const exited = once(this.#server, 'exit');
      this.#server.kill('SIGKILL');
      await exited;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #hasEnded() {
    return this.#server.exitCode !== null || this.#server.signalCode !== null;
  }
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
