import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { InstanceLock } from '../../src/instance/instance-lock.js';
import { lockPath, testFolder } from '../support/folder.js';
import { instancePeer, instanceProgram, told } from '../support/instance.js';
import type { Peer, RemoteLock } from '../support/peer.js';
import { inTwoSizes } from '../support/sizes.js';

inTwoSizes(
  (rounds) =>
    `two that steal at once, ${rounds} rounds: exactly one ends up holding, and the other is refused or gets \`lost\``,
  { short: 5, long: 100 },
  async (rounds) => {
    const thieves = await Promise.all([instancePeer(), instancePeer()]);
    const folder = testFolder();
    const force = { force: { how: 'steal' } } as object;
    const lost: Promise<void>[] = [];
    const winners: { pid: number; path: string; isCurrent(): Promise<boolean> }[] = [];
    for (let round = 0; round < rounds; round++) {
      const path = join(folder, `${round}.lock`);
      const victim = await InstanceLock.acquire(path);
      // Else it warns, where it finds out before its release.
      victim.on('lost', () => {});
      const results = await Promise.allSettled(
        thieves.map((each) => each.call<RemoteLock>('acquire', path, path, force)),
      );
      expect(victim.isCurrent()).toBe(false);
      await victim.release();
      const current = await Promise.all(
        thieves.map(
          (each, at) => results[at]?.status === 'fulfilled' && each.call('isCurrent', path),
        ),
      );
      expect(current.filter(Boolean)).toHaveLength(1);
      const [at, not] = current[0] ? [0, 1] : [1, 0];
      const [winner, loser] = [thieves[at] as Peer, thieves[not] as Peer];
      winners.push({ path, pid: winner.pid, isCurrent: () => winner.call('isCurrent', path) });
      const result = results[not] as PromiseSettledResult<RemoteLock>;
      if (result.status === 'rejected') {
        expect(result.reason).toMatchObject({ name: 'AlreadyRunningError', code: 'ERR_LOCK_HELD' });
      } else {
        // It held, and was stolen from in turn.
        const event = loser.event<{ pid: number } | null>('lost', path);
        lost.push(
          event.then((holder) => {
            expect(holder?.pid).toBe(winner.pid);
            return loser.release(path);
          }),
        );
      }
    }
    await Promise.all(lost);
    for (const { path, pid, isCurrent } of winners) {
      expect(await isCurrent()).toBe(true);
      expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pid });
    }
  },
);

// While it holds, it looks at the path by itself, without the library. A file
// that is gone or another one was stolen from it, and then the thief says so:
// it has read the token out of the file that it put its own in the place of.
const HOLDING = `
const end = performance.now() + Number(args[0]);
const spin = (milliseconds) => { for (const until = performance.now() + milliseconds; performance.now() < until; ); };
const count = { held: 0, refused: 0 };
const lost = [];
const stolen = [];
const isThere = (ino) => fs.statSync(path, { throwIfNoEntry: false })?.ino === ino;
const isExpected = (error) => error.name === 'AlreadyRunningError';
const work = async (options) => {
  let lock;
  try {
    lock = await InstanceLock.acquire(path, options);
  } catch (error) {
    if (!isExpected(error)) throw error;
    count.refused++;
    // A turn of the loop, for signals and timers.
    await new Promise(setImmediate);
    return;
  }
  count.held++;
  if (lock.previous !== null) stolen.push(lock.previous.token);
  const { ino } = fs.fstatSync(lock.fd);
  for (let look = 0; look < 4; look++) {
    if (!isThere(ino)) {
      lost.push(lock.token);
      // The thief reads the record after its rename: leave it there until then.
      await new Promise((resolve) => setTimeout(resolve, 100));
      break;
    }
    spin(Math.random() * 0.5);
  }
  lock.releaseSync();
};
`;

// The guard of the path is on the file itself, or beside it where some may only
// read that.
test.each([
  ['0600', '{}'],
  ['0644', '{ permissions: 0o644 }'],
])(
  'one that steals and four that release, for 6 s, of mode %s: no file of another is ever removed',
  { tags: ['long'] },
  async (_, own) => {
    const path = lockPath();
    const milliseconds = '6000';
    const report = 'say(JSON.stringify({ ...count, lost, stolen }));';
    const releasers = Array.from({ length: 4 }, () =>
      instanceProgram(
        path,
        `${HOLDING} while (performance.now() < end) await work(${own}); ${report}`,
        {
          args: [milliseconds],
        },
      ),
    );
    const thief = instanceProgram(
      path,
      `${HOLDING} while (performance.now() < end) await work({ ...${own}, force: { how: 'steal' } }); ${report}`,
      { args: [milliseconds] },
    );
    const ends = await Promise.all([thief, ...releasers].map((each) => each.exited));
    for (const { code, stderr } of ends) expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [thiefs, ...others] = ends.map((each) => told(each)[0]);
    // Nobody else steals, so whatever happens to its file is a mistake.
    expect(thiefs.lost).toEqual([]);
    const lost: number[] = others.flatMap((each) => each.lost);
    expect(new Set(lost).size).toBe(lost.length);
    const stolen = new Set(thiefs.stolen);
    expect(lost.filter((token) => !stolen.has(token))).toEqual([]);
    // That there was something to see, also where much else runs.
    expect(lost.length).toBeGreaterThan(2);
    for (const { held } of others) expect(held).toBeGreaterThan(20);
    const left = readdirSync(dirname(path)).filter((name) => name !== basename(path));
    expect(left).toEqual([]);
    InstanceLock.acquireSync(path).releaseSync();
  },
);
