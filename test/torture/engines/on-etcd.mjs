// What the driver can do to an etcd server, and what holds there.
import { setTimeout as sleep } from 'node:timers/promises';
import { lacksEtcd, ThrowawayEtcd } from '../../support/throwaway-etcd.mjs';

const TTL = 3;

export class OnEtcd {
  static lacks = lacksEtcd;
  #server;
  name = 'etcd';
  modes = ['exclusive'];
  frees = TTL * 1000;
  needsCut = false;
  hearing = (TTL * 2000) / 3 + 500;
  /** A holder that is stopped for longer than its lease has lost it. */
  pauseLoses = true;
  faults = {
    ...{ stop: 14, kill: 16, end: 12, delay: 8, silence: 30, cut: 8, freeze: 6 },
    ...{ compact: 6, crash: 10 },
  };

  static async start() {
    const target = new OnEtcd();
    target.#server = await ThrowawayEtcd.start();
    return target;
  }

  get port() {
    return this.#server.port;
  }

  optionsAt(port) {
    return { endpoints: this.#server.urlAt(port), ttl: TTL };
  }

  async restart(_, pause) {
    await this.#server.end();
    await sleep(pause);
    await this.#server.begin();
  }

  /** Revokes the lease of whoever holds `name`; its process, or `null`. */
  async end(name) {
    const [holder] = await this.#server.keys(`${name}/`);
    if (holder === undefined) return null;
    await this.#server.ask('/v3/lease/revoke', { ID: holder.lease });
    return JSON.parse(holder.value).pid;
  }

  /** Watches that start at older revisions are cancelled. */
  async compact() {
    const { header } = await this.#server.ask('/v3/kv/range', { key: 'YQ==' });
    await this.#server.ask('/v3/kv/compaction', { revision: header.revision, physical: true });
  }

  async freeze(_, milliseconds) {
    this.#server.signal('SIGSTOP');
    await sleep(milliseconds);
    this.#server.signal('SIGCONT');
    return null;
  }

  async leftovers() {
    const all = [...(await this.#server.keys('x/')), ...(await this.#server.keys('y/'))];
    return all.map((each) => JSON.stringify(each));
  }

  remove() {
    return this.#server.remove();
  }
}
