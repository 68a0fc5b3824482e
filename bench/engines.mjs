// Locks on servers: a real PostgreSQL and a real etcd on the loopback. What a
// lock costs is compared with the cheapest call of the same server, from the same
// process; far away is a relay in between that delays.
import { setTimeout as pause } from 'node:timers/promises';
import { Relay } from '../test/support/relay.mjs';
import { lacksEtcd, ThrowawayEtcd } from '../test/support/throwaway-etcd.mjs';
import { lacksPostgres, ThrowawayPostgres } from '../test/support/throwaway-postgres.mjs';
import { Child } from './child.mjs';
import { compare, interleave } from './measure.mjs';
import { CHILDREN } from './prepare.mjs';
import { row, skipped } from './report.mjs';

/** The shortest that the lockers take: milliseconds, and seconds. */
const LOSS = 3000;
const TTL = 2;
/** So many calls compile what is called. */
const WARMING = 1000;
const FAR_MILLISECONDS = 10;
const WITHIN_MILLISECONDS = 10_000;

let names = 0;
const newName = () => `bench-${names++}`;
const between = (from, to) => Number(BigInt(to) - BigInt(from)) / 1000;

class Setting {
  #engine;
  #options;
  server;

  constructor(engine, server, options) {
    this.#engine = engine;
    this.server = server;
    this.#options = options;
  }

  start(url = this.server.url) {
    const options = JSON.stringify(this.#options(url));
    return new Child(process.execPath, [`${CHILDREN}engines.mjs`, this.#engine, options]);
  }

  /** Microseconds from before a release to the code of the waiter. */
  async handOver(holder, waiter, isQueued) {
    const name = newName();
    await holder.command('hold', name);
    await waiter.command('wait', name);
    await this.#until(isQueued, name);
    const released = await holder.command('release', name);
    const granted = JSON.parse(await waiter.hear());
    await waiter.command('release', name);
    return between(released, granted);
  }

  /** The same from SIGKILL of the holder. */
  async killHolder(waiter, isQueued) {
    const name = newName();
    const holder = this.start();
    await holder.command('hold', name);
    await waiter.command('wait', name);
    await this.#until(isQueued, name);
    const killed = process.hrtime.bigint();
    process.kill(holder.pid, 'SIGKILL');
    const granted = JSON.parse(await waiter.hear());
    await holder.kill();
    await waiter.command('release', name);
    return between(killed, granted);
  }

  /** Milliseconds until a holder hears that nothing reaches the server any more. */
  async silence() {
    const relay = await Relay.start(this.server.port);
    const holder = this.start(this.server.urlAt(relay.port));
    await holder.command('hold', newName());
    // Anywhere between two heartbeats.
    await pause(Math.random() * (LOSS / 6));
    const silent = process.hrtime.bigint();
    for (const direction of ['up', 'down']) relay.silent.add(direction);
    const heard = JSON.parse(await holder.hear());
    await holder.kill();
    relay.stop();
    return between(silent, heard) / 1000;
  }

  async #until(isQueued, name) {
    const end = performance.now() + WITHIN_MILLISECONDS;
    while (!(await isQueued(name))) {
      if (performance.now() > end) throw new Error(`nobody came to wait for ${name}`);
      await pause(2);
    }
    // The server has the request; what the client does besides is over soon.
    await pause(20);
  }
}

async function severally(times, atOnce, measure) {
  const values = [];
  while (values.length < times) {
    values.push(...(await Promise.all(Array.from({ length: atOnce }, measure))));
  }
  return values;
}

/** Of a lock that is free, how often the client and the server spoke in turn. */
async function countTrips(setting, rounds) {
  const relay = await Relay.start(setting.server.port);
  const child = setting.start(setting.server.urlAt(relay.port));
  const name = newName();
  await child.command('cycle', name, 1);
  const counts = [];
  for (let round = 0; round < rounds; round++) {
    const before = relay.trips;
    await child.command('cycle', name, 10);
    // A heartbeat may come in between.
    counts.push(Math.floor((relay.trips - before) / 10));
  }
  await child.kill();
  relay.stop();
  return counts;
}

async function onPostgres(quick) {
  const server = await ThrowawayPostgres.start();
  const setting = new Setting('postgres', server, (connect) => ({ connect, loss: LOSS }));
  const relay = await Relay.start(server.port);
  relay.delay = FAR_MILLISECONDS / 2;
  const farUrl = server.urlAt(relay.port);
  const isQueued = async () => {
    const [{ n }] = await server.sql(
      `SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`,
    );
    return n > 0;
  };
  try {
    const [near, other] = [setting.start(), setting.start()];
    const [far, farOther] = [setting.start(farUrl), setting.start(farUrl)];
    const name = newName();
    const block = quick ? 60 : 300;
    const contestants = {
      near: () => near.command('cycle', name, block),
      select: () => near.command('select', block),
      far: () => far.command('cycle', name, 8),
      farSelect: () => far.command('select', 8),
      farHandoff: () => setting.handOver(far, farOther, isQueued),
      handoff: () => setting.handOver(near, other, isQueued),
      connect: () => near.command('connect', 5),
      killed: () => setting.killHolder(other, isQueued),
    };
    await near.command('cycle', name, WARMING);
    await near.command('select', WARMING);
    await interleave(contestants, 1);
    const samples = await interleave(contestants, quick ? 6 : 40);
    for (const child of [near, other, far, farOther]) await child.kill();
    const loss = await severally(quick ? 4 : 20, 4, () => setting.silence());
    const trips = await countTrips(setting, quick ? 3 : 10);
    return {
      budgets: {
        pgNear: compare(samples.near, samples.select, 'µs', 0),
        pgFar: compare(samples.far, samples.farSelect, 'µs', 0),
        pgFarHandoff: compare(samples.farHandoff, samples.farSelect, 'µs', 0),
        pgKilled: compare(samples.killed, samples.connect, 'µs', 0),
        pgLoss: { values: loss, detail: `\`loss\` ${LOSS} ms, the shortest` },
      },
      rows: [
        row({
          what: 'PostgreSQL: round trips to acquire and release a free lock, counted on the wire',
          values: trips,
          unit: '×',
          most: 2,
        }),
        row({
          what: 'PostgreSQL: handoff on loopback, against `SELECT 1`',
          unit: '×',
          ...compare(samples.handoff, samples.select, 'µs', 0),
        }),
      ],
    };
  } finally {
    relay.stop();
    await server.remove();
  }
}

async function onEtcd(quick) {
  const server = await ThrowawayEtcd.start();
  const setting = new Setting('etcd', server, (endpoints) => ({ endpoints, ttl: TTL }));
  const isQueued = async (name) => (await server.keys(`${name}/`)).length > 1;
  try {
    const [near, other] = [setting.start(), setting.start()];
    const name = newName();
    const block = quick ? 30 : 150;
    const contestants = {
      near: () => near.command('cycle', name, block),
      put: () => near.command('put', block),
      handoff: () => setting.handOver(near, other, isQueued),
    };
    await near.command('cycle', name, WARMING / 4);
    await near.command('put', WARMING / 4);
    await interleave(contestants, 1);
    const samples = await interleave(contestants, quick ? 6 : 40);
    const waiters = [other, near, setting.start(), setting.start()];
    const killed = [];
    for (let round = 0; round < (quick ? 1 : 4); round++) {
      const all = waiters.map((waiter) => setting.killHolder(waiter, isQueued));
      killed.push(...(await Promise.all(all)));
    }
    for (const child of waiters) await child.kill();
    const loss = await severally(quick ? 4 : 12, 4, () => setting.silence());
    const trips = await countTrips(setting, quick ? 3 : 10);
    return {
      budgets: {
        etcdNear: compare(samples.near, samples.put, 'µs', 0),
        etcdHandoff: compare(samples.handoff, samples.put, 'µs', 0),
        etcdKilled: {
          values: killed.map((microseconds) => microseconds / 1e6),
          detail: `\`ttl\` ${TTL} s, the shortest`,
        },
      },
      rows: [
        row({
          what: 'etcd: round trips to acquire and release a free lock, counted on the wire',
          values: trips,
          unit: '×',
          most: 2,
        }),
        row({
          what: 'etcd: loss heard when the network swallows everything',
          values: loss,
          unit: 'ms',
          most: Math.round((TTL * 2000) / 3 + 500),
          detail: `\`ttl\` ${TTL} s`,
        }),
      ],
    };
  } finally {
    await server.remove();
  }
}

const ENGINES = [
  {
    lacks: lacksPostgres,
    measure: onPostgres,
    budgets: ['pgNear', 'pgFar', 'pgFarHandoff', 'pgKilled', 'pgLoss'],
    what: 'locks on PostgreSQL',
  },
  {
    lacks: lacksEtcd,
    measure: onEtcd,
    budgets: ['etcdNear', 'etcdHandoff', 'etcdKilled'],
    what: 'locks on etcd',
  },
];

export async function measureEngines({ quick }) {
  const all = { title: 'Locks on servers', budgets: {}, rows: [] };
  for (const { lacks, measure, budgets, what } of ENGINES) {
    const reason = lacks();
    if (reason === null) {
      const measured = await measure(quick);
      Object.assign(all.budgets, measured.budgets);
      all.rows.push(...measured.rows);
    } else {
      for (const id of budgets) all.budgets[id] = { reason };
      all.rows.push(skipped(what, reason));
    }
  }
  return all;
}
