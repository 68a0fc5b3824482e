// One way of acquiring, chosen by chance; and whether a refusal is one of
// those that are promised.
import { getEventListeners } from 'node:events';
import { FileLock } from '../../dist/index.js';
import { InstanceLock } from '../../dist/instance.js';
import { FIELD } from './world.mjs';

const WAYS = {
  kept: { acquire: 70, sync: 12, try: 12 },
  removed: { acquire: 60, sync: 10, try: 10, instance: 20 },
  replaced: { acquire: 55, sync: 10, try: 10, instance: 12, steal: 13 },
};

/** Drawn in the same order each time, whatever comes of it. */
function draw(random, lock, plain) {
  const way = random.weighted(WAYS[lock.files]);
  const wait = random.weighted({ none: 15, short: 35, long: 35, endless: 15 });
  const abort = random.weighted({ never: 65, before: 3, soon: 16, later: 16 });
  const delay = abort === 'later' ? random.between(1, 60) : 0;
  const timeout = { none: 0, short: random.between(1, 25), long: random.between(25, 600) }[wait];
  const draws = [random.next(), random.next(), random.next()];
  const shared = plain.mode ?? (draws[0] < 0.4 ? 'shared' : 'exclusive');
  const options = { data: { seat: plain.seat } };
  if (way !== 'instance' && way !== 'steal') {
    options.mode = shared;
    if (lock.files !== 'kept') options.keepFile = draws[1] < 0.3;
    if (!lock.tokens) options.record = ['json', 'pid', false, undefined][Math.floor(draws[1] * 4)];
    if (!lock.tokens && options.record !== 'json') delete options.data;
    if (draws[2] < 0.12) options.pollInterval = 1 + Math.floor(draws[2] * 200);
  }
  options.timeout = timeout ?? Number.POSITIVE_INFINITY;
  if (way === 'sync') options.timeout = Math.min(options.timeout, 30);
  return { way, options, abort, delay };
}

/** The lock, or `null`; what is not to be thrown is a violation. */
export async function acquireByChance(world, lock, { random, seat, id }) {
  const { way, options, abort, delay } = draw(random, lock, { seat });
  const path = world.pathOf(lock);
  const reason = new Error('torture: enough');
  const controller = new AbortController();
  if (abort === 'before') controller.abort(reason);
  if (way !== 'try' && way !== 'sync' && abort !== 'never') options.signal = controller.signal;
  const waits = way === 'acquire' || way === 'instance' ? options.timeout !== 0 : way === 'sync';
  if (waits) world.set(seat, FIELD.waitsFor, lock.index + 1, Date.now());
  let waited = false;
  if (way === 'acquire') {
    options.onWait = () => {
      waited = true;
    };
  }
  const began = performance.now();
  let timer;
  if (abort === 'soon') setImmediate(() => controller.abort(reason));
  if (abort === 'later') timer = setTimeout(() => controller.abort(reason), delay);
  world.log(lock, id, `${way} ${JSON.stringify(options)} ${abort} ${delay}`);
  try {
    const held = await call(way, path, options);
    if (held === null) world.count(seat, 'refused');
    else countHeld(world, seat, way, options, waited);
    return { held, mode: options.mode ?? 'exclusive' };
  } catch (error) {
    const took = performance.now() - began;
    const verdict = judge(error, { way, options, reason, took, lock });
    world.log(lock, id, `${way}: ${error.code ?? error.message} after ${took.toFixed(1)}`);
    if (verdict === null) {
      const text = `${way} ${JSON.stringify(options)} after ${took} ms: ${error.stack}`;
      throw world.violation('error', lock, id, text);
    }
    world.count(seat, verdict);
    return { held: null };
  } finally {
    clearTimeout(timer);
    if (waits) world.set(seat, FIELD.waitsFor, 0, 0);
    const listeners = getEventListeners(controller.signal, 'abort').length;
    if (listeners > 0) world.violation('leak', lock, id, `${listeners} abort listeners`);
  }
}

function call(way, path, options) {
  switch (way) {
    case 'sync':
      return FileLock.acquireSync(path, options);
    case 'try':
      return FileLock.tryAcquire(path, options);
    case 'instance':
      return InstanceLock.acquire(path, options);
    case 'steal':
      return InstanceLock.acquire(path, { ...options, timeout: 0, force: { how: 'steal' } });
    default:
      return FileLock.acquire(path, options);
  }
}

function countHeld(world, seat, way, options, waited) {
  if (way === 'sync') world.count(seat, 'sync');
  if (way === 'try') world.count(seat, 'tried');
  if (way === 'instance') world.count(seat, 'instance');
  if (way === 'steal') world.count(seat, 'stolen');
  if (waited) world.count(seat, 'waited');
  if (options.pollInterval !== undefined) world.count(seat, 'polled');
}

/** The counter it belongs to; `null`: not to happen. */
function judge(error, { way, options, reason, took, lock }) {
  if (error === reason) return options.signal === undefined ? null : 'aborts';
  const { timeout } = options;
  switch (error.code) {
    case 'ERR_LOCK_TIMEOUT':
      return took >= timeout && timeout > 0 ? 'timeouts' : null;
    case 'ERR_LOCK_HELD':
      if (way === 'instance') return took >= timeout ? 'timeouts' : null;
      return timeout === 0 || way === 'steal' ? 'refused' : null;
    case 'ERR_LOCK_STATE':
      // Another lane of the same thread holds it, or waits for it.
      return way === 'sync' && timeout > 0 ? 'refused to wait for itself' : null;
    case 'EAGAIN':
      // A stopped process is in the middle of replacing the file.
      return way === 'steal' && lock.files === 'replaced' ? 'refused' : null;
    default:
      return null;
  }
}
