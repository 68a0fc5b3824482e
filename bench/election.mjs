// One leader among siblings: how long nobody leads after SIGKILL of the primary,
// and what many members cost.
//
// The heartbeat is the usual way without a lock, with its usual values: the
// primary touches its file every second, every member checks it once a second,
// and considers the primary dead if it was not touched for three seconds. That
// time depends on those numbers and not on the machine.
//
// The limit is a process in C that waits for the lock of a file, and the same
// kind of Node process that is killed. Times are CLOCK_MONOTONIC, from before the
// signal is sent until the code of the next primary runs.
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Child } from './child.mjs';
import { interleave, median, ratios } from './measure.mjs';
import { CHILDREN, LIMIT } from './prepare.mjs';
import { row } from './report.mjs';

const ELECTION = new URL('../dist/election.js', import.meta.url).href;
const MANY = 200;
const WITHIN_MILLISECONDS = 10_000;
const FLOCK = process.arch === 'arm64' ? '32 ' : '73 ';

const SAY = `const say = (text) => process.stdout.write(text + '\\n');
  process.stdin.resume().on('end', () => process.exit());`;
/** Says that it has joined, and the nanoseconds at which it became primary. */
const MEMBER = `
  const { Election } = await import(${JSON.stringify(ELECTION)});
  ${SAY}
  const election = await Election.join(process.argv[1]);
  election.on('primary', () => say(String(process.hrtime.bigint())));
  say('joined');
`;
/** Joins as often as it is told to, and says how many milliseconds each took. */
const MANY_MEMBERS = `
  const { Election } = await import(${JSON.stringify(ELECTION)});
  process.stdin.on('end', () => process.exit());
  const all = [];
  process.stdin.on('data', async (text) => {
    const start = performance.now();
    all.push(await Election.join(process.argv[1]));
    process.stdout.write(JSON.stringify(performance.now() - start) + '\\n');
  });
  process.stdout.write('ready\\n');
`;
const HEARTBEAT = `
  import { readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
  ${SAY}
  const file = process.argv[1];
  let isPrimary = false;
  const look = () => {
    const last = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (isPrimary) return void utimesSync(file, Date.now() / 1000, Date.now() / 1000);
    if (Date.now() - last < 3000) return;
    writeFileSync(file, String(process.pid));
    isPrimary = true;
    say(String(process.hrtime.bigint()));
  };
  look();
  setInterval(look, 1000);
  if (!isPrimary) say('joined');
`;

const start = (source, path) =>
  new Child(process.execPath, ['--input-type=module', '-e', source, '--', path]);

async function until(question, what) {
  const end = performance.now() + WITHIN_MILLISECONDS;
  while (!question()) {
    if (performance.now() > end) throw new Error(`not within ten seconds: ${what}`);
    await pause(1);
  }
}

function queueOf(file) {
  const waiter = new RegExp(`-> FLOCK .*:${statSync(file).ino} `);
  return readFileSync('/proc/locks', 'latin1')
    .split('\n')
    .filter((line) => waiter.test(line)).length;
}

/** Milliseconds until `next` says when it began to lead. */
async function killed(primary, next) {
  const begin = process.hrtime.bigint();
  process.kill(primary.pid, 'SIGKILL');
  return Number(BigInt(await next.hear()) - begin) / 1e6;
}

class Failover {
  #folder;
  #rounds = 0;

  constructor(folder) {
    this.#folder = folder;
  }

  #place() {
    return join(this.#folder, `failover-${this.#rounds++}`);
  }

  async election() {
    const directory = this.#place();
    const primary = start(MEMBER, directory);
    await primary.hear();
    await primary.hear();
    const standby = start(MEMBER, directory);
    await standby.hear();
    await until(() => queueOf(join(directory, '.primary')) === 1, 'a standby');
    const time = await killed(primary, standby);
    await standby.kill();
    return time;
  }

  /** A Node process that holds is killed, one in C waits. */
  async limit() {
    const file = this.#place();
    writeFileSync(file, '');
    const holder = new Child(process.execPath, [
      join(CHILDREN, 'handoff-holder.mjs'),
      'plain',
      file,
    ]);
    const waiter = new Child(LIMIT, ['waiter', file]);
    await holder.ask('h');
    await waiter.ask('w');
    await until(() => queueOf(file) === 1, 'a waiter');
    const time = await killed(holder, waiter);
    await waiter.kill();
    return time;
  }

  async heartbeat() {
    const file = this.#place();
    const primary = start(HEARTBEAT, file);
    await primary.hear();
    const standby = start(HEARTBEAT, file);
    await standby.hear();
    // Anywhere between two beats.
    await pause(Math.random() * 1000);
    const time = await killed(primary, standby);
    await standby.kill();
    return time;
  }
}

async function measureFailover(folder, quick) {
  const failover = new Failover(folder);
  const fast = {
    election: () => failover.election(),
    limit: () => failover.limit(),
  };
  await interleave(fast, 2);
  const { election, limit } = await interleave(fast, quick ? 10 : 60);
  // Side by side: they sleep for nearly all of the time.
  const beats = Array.from({ length: quick ? 8 : 24 }, () => failover.heartbeat());
  const heartbeat = await Promise.all(beats);
  const against = (values) => `against ${median(values).toFixed(1)} ms`;
  return [
    row({
      what: 'failover after SIGKILL of the primary',
      values: election,
      unit: 'ms',
      detail: 'signal to `primary` in the next process',
    }),
    row({
      what: 'failover, against a C waiter for the lock of a killed Node process',
      values: ratios(election, limit),
      unit: '×',
      detail: against(limit),
    }),
    row({
      what: 'failover with a heartbeat of 1 s, stale after 3 s, looked at each second',
      values: heartbeat,
      unit: 'ms',
      detail: `${(median(heartbeat) / median(election)).toFixed(0)} × that of the election`,
    }),
  ];
}

async function measureJoining(folder, rounds) {
  const times = [];
  for (let round = 0; round < rounds; round++) {
    const directory = join(folder, `joining-${round}`);
    const child = start(MANY_MEMBERS, directory);
    await child.hear();
    const each = [];
    for (let count = 0; count < MANY; count++) each.push(Number(await child.ask('j')));
    times.push(each);
    await child.kill();
  }
  const window = (each, from) => median(each.slice(from, from + 20));
  const last = times.map((each) => window(each, MANY - 20));
  const early = times.map((each) => window(each, 20));
  return row({
    what: `joining as one of the last 20 of ${MANY}, against numbers 21 to 40`,
    values: ratios(last, early),
    unit: '×',
    detail: [20, 60, 100, 140, 180]
      .map(
        (at) => `${at + 1} to ${at + 20}: ${median(times.map((t) => window(t, at))).toFixed(2)} ms`,
      )
      .join(', '),
  });
}

/** How often each thread that waits in flock(2) has been switched to. */
function switchesOf(pid) {
  const threads = new Map();
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    const of = (name) => readFileSync(`/proc/${pid}/task/${tid}/${name}`, 'latin1');
    try {
      if (!of('syscall').startsWith(FLOCK)) continue;
      const counts = [...of('status').matchAll(/ctxt_switches:\s*(\d+)/g)];
      threads.set(
        tid,
        counts.reduce((sum, [, count]) => sum + Number(count), 0),
      );
    } catch {
      // It has just ended.
    }
  }
  return threads;
}

async function measureWaking(folder, rounds) {
  const woken = [];
  for (let round = 0; round < rounds; round++) {
    const directory = join(folder, `waking-${round}`);
    const primary = start(MEMBER, directory);
    await primary.hear();
    await primary.hear();
    const standby = start(MANY_MEMBERS, directory);
    await standby.hear();
    for (let count = 0; count < MANY; count++) await standby.ask('j');
    await until(() => switchesOf(standby.pid).size === MANY, 'all wait');
    const before = switchesOf(standby.pid);
    await primary.kill();
    await until(() => switchesOf(standby.pid).size < MANY, 'one is primary');
    // Whoever else was woken has run by then: this is answered after it.
    await pause(100);
    const after = switchesOf(standby.pid);
    woken.push([...before].filter(([tid, count]) => after.get(tid) !== count).length);
    await standby.kill();
  }
  return row({
    what: `waiting threads of ${MANY} standbys that one death wakes`,
    values: woken,
    unit: 'threads',
    most: 1,
    detail: 'counted by the scheduler: context switches of each thread',
  });
}

export async function measureElection({ folder, quick }) {
  const base = join(folder, 'election');
  mkdirSync(base);
  const failover = await measureFailover(base, quick);
  const joining = await measureJoining(base, quick ? 3 : 15);
  const waking = await measureWaking(base, quick ? 3 : 10);
  return { title: 'Election', rows: [...failover, joining, waking] };
}
