import { execFile, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { NOBODY } from './tools.js';

const run = promisify(execFile);
const DEBIAN = '/usr/lib/postgresql';

/** The folder of the server's programs; `null` where there is no server. */
export function postgresPrograms(): string | null {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN) : [];
  const folders = versions
    .sort((one, other) => Number(other) - Number(one))
    .map((version) => join(DEBIAN, version, 'bin'));
  const here = [...folders, '/usr/local/bin', '/usr/bin'];
  return here.find((folder) => existsSync(join(folder, 'initdb'))) ?? null;
}

/** The server refuses to run as root. */
export function ownUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = /^postgres:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'));
  return line === null ? NOBODY : { uid: Number(line[1]), gid: Number(line[2]) };
}

/** A free loopback port. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

type Stop = 'fast' | 'immediate';

/** A server for this test file, on a Unix socket and a loopback port. */
export class PostgresServer {
  readonly folder: string;
  readonly port: number;
  readonly #data: string;

  private constructor(folder: string, port: number, data = join(folder, 'data')) {
    this.folder = folder;
    this.port = port;
    this.#data = data;
  }

  static async start(settings: Record<string, string> = {}): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-pg-'));
    const server = new PostgresServer(folder, await freePort());
    const user = ownUser();
    if (user !== undefined) spawnSync('chown', [`${user.uid}:${user.gid}`, folder]);
    await server.#run('initdb', ['--no-sync', '-A', 'trust', '-U', 'postgres', server.#data]);
    await server.start(settings);
    return server;
  }

  /** The user that it runs as; undefined: ours. */
  get user(): { uid: number; gid: number } | undefined {
    return ownUser();
  }

  /** Over the loopback. */
  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`;
  }

  /** Over the Unix socket. */
  get local(): { host: string; port: number; user: string; database: string } {
    return { host: this.folder, port: this.port, user: 'postgres', database: 'postgres' };
  }

  /** A standby of it, in the same folder. */
  async standby(): Promise<PostgresServer> {
    const data = join(this.folder, 'standby');
    await this.#run('pg_basebackup', ['-d', this.url, '-D', data, '-R', '--no-sync', '-c', 'fast']);
    const standby = new PostgresServer(this.folder, await freePort(), data);
    await standby.start();
    return standby;
  }

  async start(settings: Record<string, string> = {}): Promise<void> {
    const given = {
      port: String(this.port),
      listen_addresses: '127.0.0.1',
      unix_socket_directories: this.folder,
      fsync: 'off',
      ...settings,
    };
    const options = Object.entries(given).map(([name, value]) => `-c ${name}=${value}`);
    const log = join(this.folder, `log-${this.port}`);
    await this.#run('pg_ctl', [
      'start',
      '-w',
      '-D',
      this.#data,
      '-l',
      log,
      '-o',
      options.join(' '),
    ]);
  }

  async stop(how: Stop = 'immediate'): Promise<void> {
    await this.#run('pg_ctl', ['stop', '-w', '-D', this.#data, '-m', how]);
  }

  async restart(how: Stop): Promise<void> {
    await this.stop(how);
    await this.start();
  }

  /** At the end of the tests. */
  async remove(): Promise<void> {
    await this.stop().catch(() => {});
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A signal to the process of one session, or to the server. */
  kill(signal: NodeJS.Signals, backend = this.pid): void {
    process.kill(backend, signal);
  }

  get pid(): number {
    return Number(readFileSync(join(this.#data, 'postmaster.pid'), 'utf8').split('\n')[0]);
  }

  /** Over a connection of its own. */
  async sql(text: string, database = 'postgres'): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ ...this.local, database });
    client.on('error', () => {});
    await client.connect();
    try {
      const result = await client.query(text);
      return (Array.isArray(result) ? result.at(-1) : result).rows;
    } finally {
      await client.end();
    }
  }

  /** Lets every client from these addresses in. */
  async allow(addresses: string): Promise<void> {
    appendFileSync(join(this.#data, 'pg_hba.conf'), `host all all ${addresses} trust\n`);
    await this.sql('SELECT pg_reload_conf()');
  }

  /** How many rows of advisory locks there are. */
  async lockCount(granted = true): Promise<number> {
    const [row] = await this.sql(
      `SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND granted = ${granted}`,
    );
    return row?.['n'] as number;
  }

  async #run(program: string, args: string[]): Promise<void> {
    const path = join(postgresPrograms() as string, program);
    await run(path, args, { ...ownUser(), timeout: 25_000, cwd: '/', env: { LC_ALL: 'C' } });
  }
}
