import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { until } from './census.js';
import { isMissing } from './tools.js';

const run = promisify(execFile);

/** A member of a cluster of throwaway servers, on loopback. */
export class EtcdServer {
  readonly endpoint: string;
  readonly #args: string[];
  readonly #log: string;
  #process: ChildProcess | undefined;

  constructor(name: string, port: number, folder: string, args: string[]) {
    this.endpoint = `${args.includes('--cert-file') ? 'https' : 'http'}://127.0.0.1:${port}`;
    this.#log = join(folder, `${name}.log`);
    this.#args = [
      ...['--name', name, '--data-dir', join(folder, name), '--logger', 'zap'],
      ...['--listen-client-urls', this.endpoint, '--advertise-client-urls', this.endpoint],
      ...args,
    ];
  }

  start(): void {
    const log = openSync(this.#log, 'a');
    this.#process = spawn('etcd', this.#args, { stdio: ['ignore', log, log] });
    closeSync(log);
  }

  /** Resolves once it answers as a member with a leader. */
  async ready(): Promise<void> {
    await until(async () => {
      if (this.#process?.exitCode != null) throw new Error(readFileSync(this.#log, 'utf8'));
      // This process does not trust its certificate.
      if (this.endpoint.startsWith('https')) return this.#says('serving client traffic');
      const answer = await post(this.endpoint, '/v3/kv/range', { key: 'YQ==' }).catch(() => ({}));
      return 'header' in answer;
    });
  }

  #says(text: string): boolean {
    return readFileSync(this.#log, 'utf8').includes(text);
  }

  /** SIGSTOP, and no thread of it runs any more. */
  async pause(): Promise<void> {
    this.kill('SIGSTOP');
    const tasks = `/proc/${this.#process?.pid}/task`;
    await until(() =>
      readdirSync(tasks).every((task) =>
        readFileSync(`${tasks}/${task}/stat`, 'utf8').includes(') T '),
      ),
    );
  }

  kill(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  async stop(): Promise<void> {
    const process = this.#process;
    if (process === undefined || process.exitCode !== null || process.signalCode !== null) return;
    const exited = once(process, 'exit');
    process.kill('SIGCONT');
    process.kill('SIGKILL');
    await exited;
  }
}

/** A request to the gateway, past the locker. */
export async function post(
  endpoint: string,
  path: string,
  question: object,
): Promise<Record<string, unknown>> {
  const answer = await fetch(endpoint + path, {
    method: 'POST',
    body: JSON.stringify(question),
    signal: AbortSignal.timeout(2000),
  });
  return (await answer.json()) as Record<string, unknown>;
}

/** One server, or several that are a cluster, with a folder of their own. */
export class Etcd {
  #folder = '';
  members: EtcdServer[] = [];

  async start(size = 1, more: string[] = []): Promise<void> {
    this.#folder = mkdtempSync(join(tmpdir(), 'holdfast-etcd-'));
    // Between its choice and its use, another process may take a port.
    for (let attempt = 1; ; attempt++) {
      const ports = await freePorts(2 * size);
      const peers = ports.slice(size).map((port) => `http://127.0.0.1:${port}`);
      const cluster = peers.map((url, index) => `m${index}=${url}`).join(',');
      const folder = join(this.#folder, String(attempt));
      mkdirSync(folder);
      this.members = peers.map((url, index) => {
        const args = ['--listen-peer-urls', url, '--initial-advertise-peer-urls', url];
        args.push('--initial-cluster', cluster, '--initial-cluster-token', this.#folder, ...more);
        const name = `m${index}`;
        return new EtcdServer(name, ports[index] ?? 0, folder, args);
      });
      for (const member of this.members) member.start();
      try {
        await Promise.all(this.members.map((member) => member.ready()));
        return;
      } catch (error) {
        await this.#end();
        if (attempt === 3) throw error;
      }
    }
  }

  get endpoints(): string[] {
    return this.members.map(({ endpoint }) => endpoint);
  }

  get server(): EtcdServer {
    return this.members[0] as EtcdServer;
  }

  /** What etcdctl prints. */
  async ctl(...args: string[]): Promise<string> {
    return (await run('etcdctl', args, { env: this.environment, timeout: 20_000 })).stdout;
  }

  get environment(): NodeJS.ProcessEnv {
    return { ...process.env, ETCDCTL_API: '3', ETCDCTL_ENDPOINTS: this.endpoints.join(',') };
  }

  /** The keys of this cluster. */
  async keys(prefix = ''): Promise<string[]> {
    const out = await this.ctl('get', '--keys-only', '--prefix', prefix);
    return out.split('\n').filter((line) => line !== '');
  }

  async stop(): Promise<void> {
    await this.#end();
    if (this.#folder !== '') rmSync(this.#folder, { recursive: true, force: true });
  }

  async #end(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
  }
}

/** For all tests of a file; they use names of their own. */
export function etcdForFile(size = 1): Etcd {
  const etcd = new Etcd();
  beforeAll(async () => {
    if (!isMissing('etcd')) await etcd.start(size);
  }, 60_000);
  afterAll(() => etcd.stop());
  return etcd;
}

/** For one test, which may do to it what it likes. */
export async function etcdForTest(size = 1, more: string[] = []): Promise<Etcd> {
  const etcd = new Etcd();
  onTestFinished(() => etcd.stop());
  await etcd.start(size, more);
  return etcd;
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ports.push((server.address() as { port: number }).port);
  }
  for (const server of servers) {
    server.close();
    await once(server, 'close');
  }
  return ports;
}
