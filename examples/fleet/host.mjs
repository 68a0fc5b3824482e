// One host of the fleet: a process that shares no files with the others. All of
// them run this program; what they share is the lock server and the receiver.
import { setTimeout as pause } from 'node:timers/promises';
import { isLockError, withLock } from 'holdfast';
import { Election } from 'holdfast/election';
import { openLocker } from './locker.mjs';

const [host, server, receiver] = process.argv.slice(2);
const locker = await openLocker(server);
const PAUSE_MILLISECONDS = 50;

/** The cron job: every host starts it at the same time, and one of them runs it. */
async function nightly(night) {
  try {
    // The others must not wait: they would run the job again after it is done.
    return await withLock('nightly-report', { locker, timeout: 0 }, async ({ token, signal }) => {
      // A host whose clock is late finds the lock free again. Only the receiver
      // knows what has been done.
      const { done } = await ask(`/night/${night}`);
      if (done) return 'was done before';
      signal?.throwIfAborted();
      const accepted = await send({ kind: 'report', night, token });
      return accepted ? 'sent the report' : 'was refused';
    });
  } catch (error) {
    if (!isLockError(error, 'ERR_LOCK_HELD')) throw error;
    return `left it to ${error.holder?.hostname}, pid ${error.holder?.pid}`;
  }
}

/** The service: one host at a time writes, until it is killed or loses the lock. */
async function serve() {
  const election = await Election.join('service', { locker });
  election.on('error', (error) => process.send({ host, trouble: error.message }));
  await election.lead(async ({ term, signal }) => {
    process.send({ host, leads: term });
    for (let count = 1; !signal.aborted; count++) {
      await send({ kind: 'line', text: `${host} ${count}`, token: term });
      await pause(PAUSE_MILLISECONDS);
    }
  });
}

/** Every effect carries the token: the receiver refuses those of an earlier holder. */
async function send(effect) {
  const { accepted } = await ask('/', {
    method: 'POST',
    body: JSON.stringify({ host, ...effect }),
  });
  return accepted;
}

async function ask(path, options = {}) {
  const answer = await fetch(receiver + path, { signal: AbortSignal.timeout(5000), ...options });
  return await answer.json();
}

process.on('message', async ({ night }) =>
  process.send({ host, night, outcome: await nightly(night) }),
);
process.on('disconnect', () => process.exit());
process.send({ host, ready: true });
await serve();
