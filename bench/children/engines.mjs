// Does with locks of a server what it is told, one line of JSON each: what it
// times is the median of many calls, in microseconds. Moments are of the
// machine's monotonic clock, in nanoseconds.
import { Agent, request } from 'node:http';
import { createInterface } from 'node:readline';

const [engine, given] = process.argv.slice(2);
const options = JSON.parse(given);
const { [`${engine}Locker`]: open } = await import(
  new URL(`../../dist/${engine}.js`, import.meta.url).href
);
const locker = open(options);
const held = new Map();
let client;
const agent = new Agent({ keepAlive: true });

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const moment = () => String(process.hrtime.bigint());

/** The median: on a busy machine, some calls are interrupted. */
async function time(times, action) {
  const all = [];
  for (let count = 0; count < times; count++) {
    const start = process.hrtime.bigint();
    await action();
    all.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  return all.sort((left, right) => left - right)[Math.floor(times / 2)];
}

async function connect() {
  const { default: pg } = await import('pg');
  const connected = new pg.Client(options.connect);
  await connected.connect();
  return connected;
}

const PUT = JSON.stringify({ key: 'YmVuY2g=', value: 'YmVuY2g=' });

/** The cheapest that changes something there. */
function put() {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': PUT.length };
    const asked = request(`${options.endpoints}/v3/kv/put`, { method: 'POST', agent, headers });
    asked.on('error', reject);
    asked.on('response', (response) => response.resume().on('end', resolve));
    asked.end(PUT);
  });
}

const COMMANDS = {
  cycle: (name, times) =>
    time(times, async () => {
      const lock = await locker.acquire(name, { timeout: 0 });
      await lock.release();
    }),
  async select(times) {
    client ??= await connect();
    return time(times, () => client.query('SELECT 1'));
  },
  put: (times) => time(times, put),
  connect: (times) => time(times, async () => (await connect()).end()),
  async hold(name) {
    const lock = await locker.acquire(name);
    held.set(name, lock);
    lock.signal.addEventListener('abort', () => say(moment()));
    return true;
  },
  /** Answers when it waits, and once more when it is granted: then with the moment. */
  wait: (name) =>
    new Promise((resolve, reject) => {
      const granted = locker.acquire(name, { onWait: () => resolve(true) });
      granted.then((lock) => {
        const at = moment();
        held.set(name, lock);
        say(at);
      }, reject);
    }),
  /** The moment just before. */
  async release(name) {
    const at = moment();
    await held.get(name).release();
    return at;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...words] = JSON.parse(line);
  say(await COMMANDS[command](...words));
}
process.exit();
