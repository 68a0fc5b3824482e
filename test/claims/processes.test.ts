import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type ClaimRequest, Claims } from '../../src/claims.js';
import { byHand, ClaimsPeer, places, TORTURE } from '../support/claims-peer.js';
import { inTwoSizes } from '../support/sizes.js';
import { needs } from '../support/tools.js';

type Scope = Pick<ClaimRequest, 'files' | 'directories' | 'except'>;

// The tree is `src/{a,b,c}/{a,b,c}.ts`. What a scope covers of it is said
// beside it in plain code: the judge knows nothing of the library's patterns.
const TREE = ['a', 'b', 'c'].flatMap((folder) =>
  ['a', 'b', 'c'].map((name) => ({ folder, name, path: `src/${folder}/${name}.ts` })),
);
type Node = (typeof TREE)[number];

const SCOPES: [Scope, (node: Node) => boolean][] = [
  [{ files: ['src/*/a.ts'] }, ({ name }) => name === 'a'],
  [{ files: ['src/b/*.ts'] }, ({ folder }) => folder === 'b'],
  [{ files: ['**/c.ts'] }, ({ name }) => name === 'c'],
  [{ directories: ['src/c/'] }, ({ folder }) => folder === 'c'],
  [{ files: ['src/a/b.ts'] }, ({ path }) => path === 'src/a/b.ts'],
  [{ files: ['src/?/b.ts'] }, ({ name }) => name === 'b'],
  [{ directories: ['src'], except: ['src/b/'] }, ({ folder }) => folder !== 'b'],
  [{ directories: ['src/a'], except: ['**/a.ts'] }, (n) => n.folder === 'a' && n.name !== 'a'],
  [{ files: ['src/a/a.ts', 'src/c/c.ts'] }, (n) => n.folder === n.name && n.name !== 'b'],
  [{ files: ['src/b/a.ts', 'src/b/b.ts'] }, (n) => n.folder === 'b' && n.name !== 'c'],
  [{ files: ['src/c/*.ts'], except: ['src/c/a.ts'] }, (n) => n.folder === 'c' && n.name !== 'a'],
];

/** All of them have `src/b/a.ts`. */
const TOGETHER: [Scope, (node: Node) => boolean][] = [
  [{ files: ['src/*/a.ts'] }, ({ name }) => name === 'a'],
  [{ files: ['src/b/*.ts'] }, ({ folder }) => folder === 'b'],
  [{ directories: ['src'] }, () => true],
  [{ files: ['src/b/a.ts'] }, ({ path }) => path === 'src/b/a.ts'],
  [{ directories: ['src/b'], except: ['**/c.ts'] }, (n) => n.folder === 'b' && n.name !== 'c'],
];

interface RoundResult {
  won: boolean;
  code?: string;
  doubles?: string[];
  with?: string[];
}

interface Entrant {
  peer: ClaimsPeer;
  request: ClaimRequest & { agent: string };
  literals: string[];
}

function entrants(peers: ClaimsPeer[], scopes: typeof SCOPES, round: number): Entrant[] {
  return peers.map((peer, index) => {
    const [scope, covers] = scopes[(index * 7 + round) % scopes.length] as (typeof SCOPES)[number];
    const literals = TREE.filter(covers).map(({ path }) => path);
    return { peer, request: { agent: `agent-${index}`, ...scope }, literals };
  });
}

const meet = (one: Entrant, other: Entrant): boolean =>
  one.literals.some((path) => other.literals.includes(path));

async function oneRound(all: Entrant[], markers: string): Promise<RoundResult[]> {
  const results = await Promise.all(
    all.map(({ peer, request, literals }) =>
      peer.call<RoundResult>('round', request, literals, markers),
    ),
  );
  const winners = all.filter((_, index) => results[index]?.won);
  const losers = all.filter((_, index) => !results[index]?.won);
  const doubles = results.flatMap((each) => each.doubles ?? []);
  expect(doubles).toEqual([]);
  for (const one of winners) {
    const met = winners.filter((other) => other !== one && meet(one, other));
    expect(met.map(({ request }) => request)).toEqual([]);
  }
  // Nobody lets go before all have an answer: who was refused was rightly so.
  for (const loser of losers) {
    const { code, with: names } = results[all.indexOf(loser)] as RoundResult;
    expect(code).toBe('ERR_CLAIM_CONFLICT');
    const inTheWay = winners.filter((winner) => meet(loser, winner));
    expect(inTheWay.length).toBeGreaterThan(0);
    expect(inTheWay.map(({ request }) => request.agent)).toEqual(
      expect.arrayContaining(names ?? []),
    );
  }
  const ends = await Promise.all(
    all.map(({ peer, request }) => peer.call<boolean | null>('endRound', request.agent)),
  );
  expect(ends).toEqual(results.map(({ won }) => (won ? true : null)));
  return results;
}

inTwoSizes(
  ({ processes, rounds }) =>
    `${processes} processes claim at the same moment, ${rounds} rounds: no two that overlap are granted, and no observer sees a conflict`,
  { short: { processes: 4, rounds: 10 }, long: { processes: 16, rounds: 200 } },
  async ({ processes, rounds }) => {
    const { root, locks, markers } = places();
    const peers = await ClaimsPeer.startMany(processes, locks, root);
    const observers = await ClaimsPeer.startMany(2, locks, root);
    const observing = observers.map((each) => each.call<Record<string, number>>('observe'));
    let granted = 0;
    for (let round = 0; round < rounds; round++) {
      const together = round % 2 === 1;
      const results = await oneRound(entrants(peers, together ? TOGETHER : SCOPES, round), markers);
      const won = results.filter((each) => each.won).length;
      if (together) expect(won).toBe(1);
      else granted += won;
    }
    // That there was something to decide.
    expect(granted).toBeGreaterThan(rounds / 2);
    await Promise.all(observers.map((each) => each.call('stop')));
    for (const counts of await Promise.all(observing)) {
      const { looks, active, ...others } = counts;
      expect(others).toEqual({});
      expect(looks).toBeGreaterThan(rounds);
      expect(active).toBeGreaterThan(0);
    }
    expect(readdirSync(locks)).toEqual([]);
    expect(readdirSync(markers)).toEqual([]);
  },
);

inTwoSizes(
  ({ processes }) =>
    `${processes} processes that wait for each other all have their turn, and never two at a time`,
  { short: { processes: 4, rounds: 2 }, long: { processes: 16, rounds: TORTURE ? 20 : 4 } },
  async ({ processes, rounds }) => {
    const { root, locks, markers } = places();
    const peers = await ClaimsPeer.startMany(processes, locks, root);
    for (let round = 0; round < rounds; round++) {
      const results = await Promise.all(
        entrants(peers, round % 2 === 1 ? TOGETHER : SCOPES, round).map(
          ({ peer, request, literals }) =>
            peer.call<object>('turn', request, literals, markers, 60_000),
        ),
      );
      for (const result of results) expect(result).toEqual({ doubles: [], released: true });
    }
    expect(readdirSync(locks)).toEqual([]);
  },
);

inTwoSizes(
  (rounds) =>
    `of two processes that claim all or nothing in opposite order, one has all and one nothing, ${rounds} rounds`,
  { short: 5, long: 30 },
  async (rounds) => {
    const { root, locks } = places();
    const [one, other] = (await ClaimsPeer.startMany(2, locks, root)) as [ClaimsPeer, ClaimsPeer];
    for (let round = 0; round < rounds; round++) {
      const requests = (name: string): ClaimRequest[] =>
        ['x', 'y', 'z'].map((each) => ({ agent: `${name}-${each}`, files: [`src/${each}.ts`] }));
      const results = await Promise.allSettled([
        one.call('claimAll', requests('one')),
        other.call('claimAll', requests('other').reverse()),
      ]);
      expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      const won = results[0]?.status === 'fulfilled' ? 'one' : 'other';
      const statuses = await one.list();
      expect(statuses.map(({ agent, state }) => [agent, state])).toEqual(
        ['x', 'y', 'z'].map((each) => [`${won}-${each}`, 'active']),
      );
      await one.call('releaseAll');
    }
  },
);

needs('find')(
  'claims that a sweep with find deletes all the time end in no other way than lost',
  { tags: ['long'] },
  async () => {
    const { root, locks } = places();
    const peers = await ClaimsPeer.startMany(4, locks, root);
    const sweeper = await ClaimsPeer.start(locks, root);
    const sweeping = sweeper.call<number>('sweep');
    const working = peers.map((peer, index) =>
      peer.call<Record<string, number>>('live', {
        agent: `agent-${index}`,
        // Two and two overlap.
        files: [`src/${index % 2}/*.ts`],
        bind: index >= 2,
      }),
    );
    // So long they try, and until each has had its turn. One that crashes ends it at once.
    const milliseconds = TORTURE ? 20_000 : 5_000;
    const tried = Promise.all([sleep(milliseconds), ...peers.map((each) => each.event('enough'))]);
    await Promise.race([tried, ...working, sweeping]);
    await Promise.all([...peers, sweeper].map((each) => each.call('stop')));
    const expected = new Set([
      'claim granted',
      'claim ERR_CLAIM_CONFLICT',
      'renew done',
      'renew ERR_LOCK_LOST',
      'release true',
      'release false',
    ]);
    const all = await Promise.all(working);
    for (const counts of all) {
      expect(Object.keys(counts).filter((each) => !expected.has(each))).toEqual([]);
      expect(counts['claim granted']).toBeGreaterThan(10);
    }
    // That there was something to see.
    expect(await sweeping).toBeGreaterThan(10);
    const lost = all.reduce((sum, each) => sum + (each['renew ERR_LOCK_LOST'] ?? 0), 0);
    expect(lost).toBeGreaterThan(0);
    const claims = new Claims(locks, { root });
    const claim = await claims.claim({ agent: 'afterwards', directories: ['.'] });
    expect(readdirSync(locks)).toEqual(['afterwards.lock']);
    await claim.release();
  },
);

test('a claim under the same name by another process is the one that counts: the earlier signal aborts', async () => {
  const { root, locks } = places();
  const [early, late] = (await ClaimsPeer.startMany(2, locks, root)) as [ClaimsPeer, ClaimsPeer];
  await early.claim({ agent: 'builder', files: ['src/a.ts'] });
  const lost = early.event('lost', 'builder');
  await late.claim({ agent: 'builder', files: ['src/b.ts'] });
  const file = join(locks, 'builder.lock');
  const content = readFileSync(file, 'utf8');
  expect(await lost).toBe('ERR_LOCK_LOST');
  expect(await early.describe('builder')).toMatchObject({ aborted: true });
  expect(await early.call('covers', 'builder', 'src/a.ts')).toBe(false);
  await expect(early.call('renew', 'builder')).rejects.toMatchObject({ code: 'ERR_LOCK_LOST' });
  expect(await early.call('release', 'builder')).toBe(false);
  expect(readFileSync(file, 'utf8')).toBe(content);
  expect(await late.describe('builder')).toMatchObject({ aborted: false });
  expect(await late.call('release', 'builder')).toBe(true);
  expect(readdirSync(locks)).toEqual([]);
});

test('before its signal has come, the earlier one neither renews nor releases what is not its own', async () => {
  const { root, locks } = places();
  const [early, late] = (await ClaimsPeer.startMany(2, locks, root)) as [ClaimsPeer, ClaimsPeer];
  const file = join(locks, 'builder.lock');
  for (const method of ['renew', 'release']) {
    await early.claim({ agent: 'builder', files: ['src/a.ts'] });
    // Stopped, it cannot hear of it before it is asked.
    early.process.kill('SIGSTOP');
    await late.claim({ agent: 'builder', files: ['src/b.ts'] });
    const content = readFileSync(file, 'utf8');
    const answer = early.call(method, 'builder');
    const expected = expect(answer);
    early.process.kill('SIGCONT');
    if (method === 'renew') await expected.rejects.toMatchObject({ code: 'ERR_LOCK_LOST' });
    else await expected.resolves.toBe(false);
    expect(readFileSync(file, 'utf8')).toBe(content);
  }
});

test('a process that was stopped for longer than its ttl hears that its claim has expired, and another has overwritten it', {
  tags: ['long'],
}, async () => {
  const { root, locks } = places();
  const [sleeper, other] = (await ClaimsPeer.startMany(2, locks, root)) as [ClaimsPeer, ClaimsPeer];
  const { expiresAt } = await sleeper.claim({ agent: 'sleeper', files: ['src/*/a.ts'], ttl: 3000 });
  sleeper.process.kill('SIGSTOP');
  const { granted } = await other.waitFor({ agent: 'other', files: ['src/b/*.ts'] });
  const claim = await granted;
  // Others respect it for two seconds more.
  expect(Date.now()).toBeGreaterThanOrEqual(expiresAt.getTime() + 2000);
  expect(claim).toMatchObject({ agent: 'other', aborted: false });
  expect(await other.event('warning', 'HOLDFAST_CLAIM_EXPIRED')).toBe(
    'Overwriting expired lock for sleeper',
  );
  expect(readdirSync(locks)).toEqual(['other.lock']);
  const lost = sleeper.event('lost', 'sleeper');
  sleeper.process.kill('SIGCONT');
  expect(await lost).toBe('ERR_LOCK_LOST');
  await expect(sleeper.call('renew', 'sleeper')).rejects.toMatchObject({ code: 'ERR_LOCK_LOST' });
  expect(await sleeper.call('release', 'sleeper')).toBe(false);
  expect((await other.list()).map(({ agent, state }) => [agent, state])).toEqual([
    ['other', 'active'],
  ]);
});

test('what a hand removes and writes while a process claims is respected at its next look', async () => {
  const { root, locks } = places();
  const peer = await ClaimsPeer.start(locks, root);
  await peer.claim({ agent: 'mine', files: ['src/a.ts'] });
  const lost = peer.event('lost', 'mine');
  spawnSync('rm', [join(locks, 'mine.lock')]);
  writeFileSync(join(locks, 'hand.lock'), byHand('hand', ['src/*.ts']));
  expect(await lost).toBe('ERR_LOCK_LOST');
  const refused = peer.claim({ agent: 'mine', files: ['src/a.ts'] });
  await expect(refused).rejects.toMatchObject({
    code: 'ERR_CLAIM_CONFLICT',
    conflicts: [{ agents: ['mine', 'hand'], witness: 'src/a.ts' }],
  });
});
