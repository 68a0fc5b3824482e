#!/usr/bin/env node
import { once } from 'node:events';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { InstanceLock } from 'holdfast/instance';

const LOCK = '.dev-server.lock';

function parse() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        port: { type: 'string', default: '0' },
        wait: { type: 'string', default: '10000' },
      },
    });
    const [port, wait] = [values.port, values.wait].map((text) =>
      /^\d+$/.test(text) ? +text : -1,
    );
    const [route, ...others] = positionals;
    if (port < 0 || port > 65535) throw new Error('--port wants a number from 0 to 65535');
    if (wait < 0 || wait > 2 ** 31 - 1) throw new Error('--wait wants a number of milliseconds');
    if (others.length > 0) throw new Error('at most one ROUTE');
    if (route !== undefined) checkRoute(route);
    return { port, wait, route };
  } catch (error) {
    console.error(
      `dev-server: ${error.message}\nusage: server.mjs [--port N] [--wait MILLISECONDS] [ROUTE]`,
    );
    process.exit(64);
  }
}

function checkRoute(route) {
  if (typeof route !== 'string' || !route.startsWith('/')) throw new Error('ROUTE begins with /');
}

const server = createServer((_request, response) => {
  response.end(`dev-server, pid ${process.pid}\n`);
});
const listening = once(server, 'listening').then(() => `http://127.0.0.1:${server.address().port}`);

/** A real server would tell the browser. */
async function open(route) {
  const url = await listening;
  if (route !== undefined) console.log(`dev-server: opens ${url}${route}`);
  return url;
}

/** For a later start: answers with the URL, once this server listens. */
async function onMessage({ route }, { pid }) {
  // The sender is this user, but perhaps another version of the program.
  if (route !== undefined) checkRoute(route);
  console.log(`dev-server: pid ${pid} starts as well`);
  return open(route);
}

async function start({ port, wait, route }) {
  const { lock, answer, pid } = await InstanceLock.acquireOrSend(
    LOCK,
    { route },
    { name: 'dev-server', timeout: wait, onMessage },
  );
  if (lock === undefined) {
    const what = route === undefined ? `already running at ${answer}` : `opened ${answer}${route}`;
    console.log(`dev-server: ${what} (pid ${pid})`);
    return;
  }
  lock.on('lost', () => {
    console.error('dev-server: error: the lock file is gone or replaced, another may be running');
    process.exit(1);
  });
  server.listen(port, '127.0.0.1');
  const url = await listening;
  lock.update({ url, port: server.address().port });
  console.log(`dev-server: listening on ${url}`);
  await open(route);
}

const options = parse();
try {
  await start(options);
} catch (error) {
  console.error(`dev-server: error: ${error.message}`);
  process.exit(1);
}
