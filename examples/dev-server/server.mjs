#!/usr/bin/env node
import { once } from 'node:events';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { watchLock } from 'holdfast';
import { AlreadyRunningError, InstanceLock } from 'holdfast/instance';

const LOCK = '.dev-server.lock';

function parse() {
  try {
    const { values } = parseArgs({
      options: {
        port: { type: 'string', default: '0' },
        wait: { type: 'string', default: '10000' },
      },
    });
    const [port, wait] = [values.port, values.wait].map((text) =>
      /^\d+$/.test(text) ? +text : -1,
    );
    if (port < 0 || port > 65535) throw new Error('--port wants a number from 0 to 65535');
    if (wait < 0 || wait > 2 ** 31 - 1) throw new Error('--wait wants a number of milliseconds');
    return { port, wait };
  } catch (error) {
    console.error(
      `dev-server: ${error.message}\nusage: server.mjs [--port N] [--wait MILLISECONDS]`,
    );
    process.exit(64);
  }
}

async function serve(lock, port) {
  const server = createServer((_request, response) => {
    response.end(`dev-server, pid ${process.pid}\n`);
  });
  lock.on('lost', () => {
    console.error('dev-server: error: the lock file is gone or replaced, another may be running');
    process.exit(1);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const url = `http://127.0.0.1:${address.port}`;
  lock.update({ url, port: address.port });
  console.log(`dev-server: listening on ${url}`);
}

/** Where the other one listens; `null`: it has ended before it did. */
async function urlOfTheOther(signal) {
  for await (const { state, holders } of watchLock(LOCK, { signal })) {
    if (state !== 'held' && state !== 'unknown') return null;
    const url = holders[0]?.data?.url;
    if (url !== undefined) return url;
  }
  return null;
}

async function start({ port, wait }) {
  const limit = AbortSignal.timeout(wait);
  for (;;) {
    try {
      return await serve(await InstanceLock.acquire(LOCK, { name: 'dev-server' }), port);
    } catch (error) {
      if (!(error instanceof AlreadyRunningError)) throw error;
      let { url } = error.data;
      if (url === undefined) {
        console.log(`dev-server: waiting for pid ${error.pid ?? 'unknown'} to listen …`);
        url = await urlOfTheOther(limit).catch((reason) => {
          if (!limit.aborted) throw reason;
          // It runs, and does not say where.
          throw error;
        });
      }
      if (url !== null) return console.log(`dev-server: already running at ${url}`);
    }
  }
}

const options = parse();
try {
  await start(options);
} catch (error) {
  console.error(`dev-server: error: ${error.message}`);
  process.exit(1);
}
