// A PostgreSQL server of one run, for programs that run without a compiler.
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const DEBIAN = '/usr/lib/postgresql';

function programs() {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN) : [];
  const folders = versions
    .sort((one, other) => Number(other) - Number(one))
    .map((version) => join(DEBIAN, version, 'bin'));
  const here = [...folders, '/usr/local/bin', '/usr/bin'];
  return here.find((folder) => existsSync(join(folder, 'initdb')));
}

/** Why there can be no server, or `null`. */
export function lacksPostgres() {
  return programs() === undefined ? 'PostgreSQL is not installed' : null;
}

/** The server refuses to run as root. */
function ownUser() {
  if (process.getuid() !== 0) return {};
  const line = /^postgres:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'));
  return line === null ? { uid: 65534, gid: 65534 } : { uid: +line[1], gid: +line[2] };
}

/** A port of the loopback that nobody has. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export class ThrowawayPostgres {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-pg-'));
  port = 0;
  #pid = 0;

  static async start() {
    const server = new ThrowawayPostgres();
    process.on('exit', () => server.#kill());
    server.port = await freePort();
    const { uid, gid } = ownUser();
    if (uid !== undefined) spawnSync('chown', [`${uid}:${gid}`, server.folder]);
    await server.#run('initdb', ['--no-sync', '-A', 'trust', '-U', 'postgres', server.#data]);
    await server.begin();
    return server;
  }

  get url() {
    return this.urlAt(this.port);
  }

  urlAt(port) {
    return `postgres://postgres@127.0.0.1:${port}/postgres`;
  }

  get #data() {
    return join(this.folder, 'data');
  }

  async begin() {
    const options = `-c port=${this.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${this.folder} -c fsync=off`;
    const log = join(this.folder, 'log');
    await this.#run('pg_ctl', ['start', '-w', '-D', this.#data, '-l', log, '-o', options]);
    const file = readFileSync(join(this.#data, 'postmaster.pid'), 'utf8');
    this.#pid = Number(file.split('\n')[0]);
  }

  /** `how`: fast or immediate. */
  async end(how = 'immediate') {
    await this.#run('pg_ctl', ['stop', '-w', '-D', this.#data, '-m', how]);
    this.#pid = 0;
  }

  async remove() {
    if (this.#pid !== 0) await this.end();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Over a connection of its own. */
  async sql(text) {
    const { default: pg } = await import('pg');
    const client = new pg.Client(this.url);
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query(text)).rows;
    } finally {
      await client.end().catch(() => {});
    }
  }

  /** When the program ends without having removed it. */
  #kill() {
    if (this.#pid === 0) return;
    spawnSync('kill', ['-QUIT', String(this.#pid)]);
    // The server may still be writing there.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }

  async #run(program, args) {
    const path = join(programs(), program);
    await run(path, args, { ...ownUser(), timeout: 25_000, cwd: '/', env: { LC_ALL: 'C' } });
  }
}
