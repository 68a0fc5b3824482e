import { expect, onTestFinished } from 'vitest';
import { cable } from '../../support/cable.js';
import { until } from '../../support/census.js';
import { lockerOf, lockName, PostgresPeer, waiters } from '../../support/postgres.js';
import { PostgresServer } from '../../support/postgres-server.js';
import { needs } from '../../support/tools.js';

const test = needs('postgres', 'root', 'ip');
const LOSS = 6000;

test('a cable is pulled: the holder learns of it before the next is granted; a waiter is gone', {
  tags: ['long'],
}, async () => {
  const { address, exec, pull } = cable();
  const server = await PostgresServer.start({ listen_addresses: `127.0.0.1,${address}` });
  onTestFinished(() => server.remove());
  await server.allow(address.replace(/\d+$/, '0/24'));
  const connect = `postgres://postgres@${address}:${server.port}/postgres`;
  const [file, args] = exec;
  const options = { execPath: file, execArgv: [...args, process.execPath] };
  const peer = await PostgresPeer.start({ connect, loss: LOSS }, options);
  const other = lockerOf(server.local);
  const [name, second] = [lockName(), lockName()];
  await peer.acquire(name);
  const held = await other.acquire(second);
  await peer.waitFor(second);
  const waiting = other.acquire(name, { timeout: 20_000 });
  await until(async () => (await waiters(server)) === 2);
  const began = performance.now();
  pull();
  const heard = peer.event('lost', name).then(() => performance.now() - began);
  const granted = waiting.then(() => performance.now() - began);
  expect(await heard).toBeLessThan(LOSS / 3 + 500);
  expect(await granted).toBeGreaterThan(await heard);
  expect(await granted).toBeLessThan(LOSS + 2500);
  // The waiter's session is no ghost that keeps the lock: granted it, it is
  // ended when its answer has been on the way for LOSS, if not before.
  await held.release();
  await (await other.acquire(second, { timeout: LOSS + 2500 })).release();
});
