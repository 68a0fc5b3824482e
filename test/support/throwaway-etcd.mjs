// An etcd server of one run, for programs that run without a compiler.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from './throwaway-postgres.mjs';

/** Why there can be no server, or `null`. */
export function lacksEtcd() {
  const { status } = spawnSync('etcd', ['--version'], { stdio: 'ignore', timeout: 10_000 });
  return status === 0 ? null : 'etcd is not installed';
}

const START_MILLISECONDS = 20_000;

export const base64 = (text) => Buffer.from(text).toString('base64');

export class ThrowawayEtcd {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-etcd-'));
  port = 0;
  #peer = 0;
  #process;

  static async start() {
    const server = new ThrowawayEtcd();
    process.on('exit', () => server.#kill());
    server.port = await freePort();
    server.#peer = await freePort();
    await server.begin();
    return server;
  }

  get url() {
    return this.urlAt(this.port);
  }

  urlAt(port) {
    return `http://127.0.0.1:${port}`;
  }

  async begin() {
    const peer = this.urlAt(this.#peer);
    const log = openSync(join(this.folder, 'log'), 'a');
    this.#process = spawn(
      'etcd',
      [
        ...['--name', 'one', '--data-dir', join(this.folder, 'data'), '--logger', 'zap'],
        ...['--listen-client-urls', this.url, '--advertise-client-urls', this.url],
        ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
        ...['--initial-cluster', `one=${peer}`],
      ],
      { stdio: ['ignore', log, log] },
    );
    closeSync(log);
    const end = performance.now() + START_MILLISECONDS;
    for (;;) {
      if (this.#process.exitCode !== null) throw new Error(`etcd ended: see ${this.folder}/log`);
      const answer = await this.ask('/v3/kv/range', { key: base64('a') }).catch(() => ({}));
      if (answer.header !== undefined) return;
      if (performance.now() > end) throw new Error('etcd did not start');
      await pause(20);
    }
  }

  signal(name) {
    this.#process.kill(name);
  }

  /** By SIGKILL: it has no other way that tells its clients less. */
  async end() {
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGCONT');
    this.#process.kill('SIGKILL');
    await exited;
  }

  async remove() {
    if (this.#process.exitCode === null && this.#process.signalCode === null) await this.end();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A question to its gateway. */
  async ask(path, question) {
    const answer = await fetch(this.url + path, {
      method: 'POST',
      body: JSON.stringify(question),
      signal: AbortSignal.timeout(2000),
    });
    return answer.json();
  }

  /** The keys below `name`, the oldest first; each with its lease. */
  async keys(name) {
    const key = base64(name);
    const rangeEnd = base64(
      name.slice(0, -1) + String.fromCharCode(name.charCodeAt(name.length - 1) + 1),
    );
    const question = { key, range_end: rangeEnd, sort_order: 'ASCEND', sort_target: 'CREATE' };
    const { kvs = [] } = await this.ask('/v3/kv/range', question);
    return kvs.map((each) => ({
      lease: each.lease,
      value: Buffer.from(each.value ?? '', 'base64').toString(),
    }));
  }

  #kill() {
    if (this.#process?.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill('SIGKILL');
    // The server may still be writing there.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }
}
