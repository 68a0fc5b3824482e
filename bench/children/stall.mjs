// `stall.mjs PREFIX COUNT`: as many waits, each on a path of its own, whose
// timeouts end at the same moment. Answers in milliseconds the longest turn of
// the event loop from shortly before until all have settled, the most CPU that
// one turn took, and how long after that moment the last one settled.
import { FileLock, isLockError } from 'holdfast';

const [prefix, count] = process.argv.slice(2);
const end = performance.now() + 1500;

async function waitInVain(path) {
  try {
    await FileLock.acquire(path, { record: false, timeout: end - performance.now() });
  } catch (error) {
    if (isLockError(error, 'ERR_LOCK_TIMEOUT')) return;
    throw error;
  }
  throw new Error(`${path} was granted`);
}

let stopped = false;
const turns = { longest: 0, cpu: 0 };

function watchTurns() {
  let [clock, usage] = [performance.now(), process.cpuUsage()];
  const look = () => {
    const { user, system } = process.cpuUsage(usage);
    const now = performance.now();
    turns.longest = Math.max(turns.longest, now - clock);
    turns.cpu = Math.max(turns.cpu, (user + system) / 1000);
    [clock, usage] = [now, process.cpuUsage()];
    if (!stopped) setImmediate(look);
  };
  setImmediate(look);
}

const waits = Array.from({ length: Number(count) }, (_, at) => waitInVain(`${prefix}${at}`));
setTimeout(watchTurns, end - performance.now() - 50);
await Promise.all(waits);
const settled = performance.now() - end;
setImmediate(() => {
  stopped = true;
  console.log(JSON.stringify({ ...turns, settled }));
});
