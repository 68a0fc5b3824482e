// A process with a locker and two lanes: each acquires one of two names, writes
// to the register of that name with its token while it holds, and releases.
// Tells the driver each step with its time, by the clock of the machine.
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../random.mjs';
import { now } from './clock.mjs';

const { engine, options, position, life, seed, modes, plant } = JSON.parse(process.argv[2]);
const module = await import(new URL(`../../../dist/${engine}.js`, import.meta.url).href);
const locker = module[`${engine}Locker`](options);

const LANES = 2;
const STALL = 200;
const tell = (what, details) => process.connected && process.send({ what, ...details });
const answers = new Map();
let count = 0;
let isStopping = false;
let isResting = false;
let resting = 0;
/** Holds end when the driver says so: it does something that should take the lock away. */
let lingersUntil = 0;

process.on('message', ({ what, id, accepted, until }) => {
  if (what === 'answer') {
    answers.get(id)(accepted);
    answers.delete(id);
  }
  if (what === 'linger') lingersUntil = until;
  if (what === 'stop') isStopping = true;
  if (what === 'rest') isResting = true;
  if (what === 'go') isResting = false;
});
// The driver is gone.
const abandoned = () => process.exit(1);
process.on('disconnect', abandoned);

// A process that did not run, for whatever reason, cannot have heard anything.
let last = now();
setInterval(() => {
  const at = now();
  if (at - last > STALL) tell('stall', { from: last, to: at });
  last = at;
}, 50).unref();

function write(details) {
  const id = ++count;
  const answer = new Promise((resolve) => answers.set(id, resolve));
  tell('write', { id, ...details });
  return answer;
}

/**
 * Milliseconds to one of the next moments at which many holds and waits end, in
 * all members: a release and a timeout at the same time is the worst race.
 */
const TICK = 40;
const untilTick = (count = 1) => TICK * count - (now() % TICK);

class Lane {
  #lane;
  #random;

  constructor(lane) {
    this.#lane = lane;
    this.#random = new Random(seed, `member ${position}, life ${life}, lane ${lane}`);
  }

  async run() {
    while (!isStopping) {
      if (isResting) await rest();
      await this.#turn();
      if (this.#random.chance(0.4)) await sleep(this.#random.between(0, 15));
    }
  }

  async #turn() {
    const random = this.#random;
    const name = random.chance(0.75) ? 'x' : 'y';
    const mode = modes.length > 1 && random.chance(0.15) ? modes[1] : modes[0];
    const { timeout, abortAfter } = this.#patience();
    const controller = new AbortController();
    const timer =
      abortAfter === undefined
        ? undefined
        : setTimeout(() => controller.abort(new Error('by chance')), abortAfter);
    const asked = now();
    const about = { lane: this.#lane, name, mode, asked };
    tell('asks', about);
    let lock;
    try {
      lock = await locker.acquire(name, { timeout, mode, signal: controller.signal });
    } catch (error) {
      const isAborted = controller.signal.aborted && error === controller.signal.reason;
      tell('refused', { ...about, timeout, at: now(), ...said(error), isAborted });
      if (!/^ERR_LOCK_(HELD|TIMEOUT)$/.test(error.code) && !isAborted) await sleep(50);
      return;
    } finally {
      clearTimeout(timer);
    }
    await this.#hold(lock, about);
  }

  #patience() {
    const random = this.#random;
    const kind = random.weighted({ none: 12, tick: 30, short: 16, long: 27, abort: 15 });
    if (kind === 'none') return { timeout: 0 };
    if (kind === 'tick') return { timeout: Math.max(1, untilTick(2) + random.between(-3, 2)) };
    if (kind === 'short') return { timeout: random.between(1, 80) };
    if (kind === 'long') return { timeout: random.between(100, 2500) };
    return { abortAfter: random.between(1, 200) };
  }

  async #hold(lock, about) {
    const random = this.#random;
    const token = plant === 'clock' ? ownClock() : lock.token;
    const grant = ++count;
    tell('granted', { ...about, grant, token, at: now() });
    let isOver = false;
    const end = (how) => {
      if (!isOver) tell('ended', { grant, how, at: now() });
      isOver = true;
    };
    lock.signal.addEventListener('abort', () => end('lost'));
    const length = random.weighted({ 0: 40, 10: 30, 80: 25, 400: 5 });
    const until = now() + (length === '0' ? untilTick() : random.between(0, Number(length)));
    do {
      if (about.mode === 'exclusive') await write({ grant, name: about.name, token });
      // Not where the silence should be found out without a question.
      if (random.chance(0.05) && now() > lingersUntil) {
        await lock.check().catch(({ code }) => code === 'ERR_LOCK_LOST' && end('lost'));
      }
      await sleep(Math.min(random.between(0, 12), Math.max(0, until - now())));
      if (!lock.isCurrent()) end('lost');
    } while (!isOver && (now() < until || now() < lingersUntil));
    end('left');
    try {
      await lock.release();
    } catch (error) {
      tell('unreleased', { ...about, grant, at: now(), ...said(error) });
    }
  }
}

/** Once no lane holds or waits, nothing may be left on the server. */
async function rest() {
  resting++;
  if (resting === LANES) tell('resting');
  while (isResting && !isStopping) await sleep(10);
  resting--;
}

function said({ code, name, message, stack }) {
  return { code, message: `${name}: ${message}`, stack };
}

/** What a fencing token must not be: each machine has a clock of its own. */
function ownClock() {
  return Math.round(Date.now() * 1000 + (position - 1.5) * 2e6);
}

await Promise.all(Array.from({ length: LANES }, (_, lane) => new Lane(lane).run()));
await locker[Symbol.asyncDispose]();
process.off('disconnect', abandoned);
process.disconnect();
