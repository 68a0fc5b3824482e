import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Claims } from '../../src/claims.js';
import { byHand, ClaimsPeer, places, TORTURE } from '../support/claims-peer.js';
import { runScript } from '../support/script.js';
import { needs } from '../support/tools.js';

test('in a folder that is removed and created again all the time, two overlapping claims are never both there', {
  tags: ['long'],
}, async () => {
  const { root, locks, markers } = places();
  const marker = join(markers, 'scope');
  const peers = await ClaimsPeer.startMany(4, locks, root);
  const remover = await ClaimsPeer.start(locks, root);
  const removing = remover.call<number>('removeFolder');
  const working = peers.map((peer, index) =>
    peer.call<Record<string, number>>(
      'contend',
      { agent: `agent-${index}`, files: [index % 2 === 0 ? 'src/*/a.ts' : 'src/b/*.ts'] },
      marker,
    ),
  );
  // So long they try, and until each has had its turn. One that crashes ends it at once.
  const milliseconds = TORTURE ? 20_000 : 5_000;
  const tried = Promise.all([sleep(milliseconds), ...peers.map((each) => each.event('enough'))]);
  await Promise.race([tried, ...working, removing]);
  await Promise.all([...peers, remover].map((each) => each.call('stop')));
  const expected = new Set([
    'claim granted',
    'claim ERR_CLAIM_CONFLICT',
    // It was removed at every single try.
    'claim ERR_LOCK_LOST',
    'release true',
    'release false',
    'vanished with the folder',
  ]);
  for (const counts of await Promise.all(working)) {
    expect(Object.keys(counts).filter((each) => !expected.has(each))).toEqual([]);
    expect(counts['claim granted']).toBeGreaterThan(10);
  }
  expect(await removing).toBeGreaterThan(3);
  const claims = new Claims(locks, { root });
  await claims.releaseAll();
  const claim = await claims.claim({ agent: 'afterwards', directories: ['.'] });
  expect(readdirSync(locks)).toEqual(['afterwards.lock']);
  await claim.release();
});

// Where in its section a process is when the folder is removed and made anew:
// the lock that it has is then that of the old one.
const MOMENTS = {
  'before it looks': { name: 'readdirSync', part: 'locks' },
  'before it writes': { name: 'writeFileSync', part: '.tmp' },
  'before it puts it in place': { name: 'renameSync', part: 'mine.lock' },
};

for (const [moment, call] of Object.entries(MOMENTS)) {
  test(`a folder replaced ${moment}: refused by what is in the new one, a claim leaves nothing there`, async () => {
    const { root, locks } = places();
    mkdirSync(locks);
    const peer = await ClaimsPeer.start(locks, root);
    const files = { 'other.lock': byHand('other', ['src/*.ts']) };
    await peer.meddle(call, { remove: locks, files });
    await expect(peer.claim({ agent: 'mine', files: ['src/a.ts'] })).rejects.toMatchObject({
      code: 'ERR_CLAIM_CONFLICT',
      conflicts: [{ agents: ['mine', 'other'] }],
    });
    expect(readdirSync(locks)).toEqual(['other.lock']);
    expect((await peer.list()).map(({ agent, state }) => [agent, state])).toEqual([
      ['other', 'active'],
    ]);
  });

  test(`a folder replaced ${moment}: a claim that is granted is in the new one`, async () => {
    const { root, locks } = places();
    mkdirSync(locks);
    const peer = await ClaimsPeer.start(locks, root);
    const files = { 'other.lock': byHand('other', ['docs/*']) };
    await peer.meddle(call, { remove: locks, files });
    await peer.claim({ agent: 'mine', files: ['src/a.ts'] });
    await peer.event('meddled');
    expect(readdirSync(locks)).toEqual(['mine.lock', 'other.lock']);
    await peer.call('renew', 'mine');
    expect(await peer.call('release', 'mine')).toBe(true);
    expect(readdirSync(locks)).toEqual(['other.lock']);
  });

  test(`a folder replaced ${moment}: claimAll grants all or leaves nothing`, async () => {
    const requests = [
      { agent: 'first', files: ['lib/*.ts'], bind: true },
      { agent: 'mine', files: ['src/a.ts'] },
    ];
    for (const [scope, granted] of [
      ['docs/*', true],
      ['src/*.ts', false],
    ] as const) {
      const { root, locks } = places();
      mkdirSync(locks);
      const peer = await ClaimsPeer.start(locks, root);
      const files = { 'other.lock': byHand('other', [scope]) };
      await peer.meddle(call, { remove: locks, files });
      const result = peer.call('claimAll', requests);
      if (granted) await result;
      else await expect(result).rejects.toMatchObject({ code: 'ERR_CLAIM_CONFLICT' });
      await peer.event('meddled');
      const names = granted ? ['first.lock', 'mine.lock', 'other.lock'] : ['other.lock'];
      expect(readdirSync(locks)).toEqual(names);
      const states = (await peer.list()).map(({ state }) => state);
      expect(states).toEqual(names.map(() => 'active'));
    }
  });
}

test('a folder removed while a claim is renewed or released: lost, and false', async () => {
  const { root, locks } = places();
  const peer = await ClaimsPeer.start(locks, root);
  await peer.claim({ agent: 'mine', files: ['src/a.ts'] });
  await peer.meddle({ name: 'openSync', part: 'mine.lock' }, { remove: locks });
  await expect(peer.call('renew', 'mine')).rejects.toMatchObject({ code: 'ERR_LOCK_LOST' });
  await peer.claim({ agent: 'mine', files: ['src/a.ts'] });
  await peer.meddle({ name: 'unlinkSync', part: 'mine.lock' }, { remove: locks });
  expect(await peer.call('release', 'mine')).toBe(false);
});

// What the kernel answers when the folder goes between two of its calls.
const GONE = {
  // The folder is first opened for writing, which is refused, and then for reading.
  'while it is opened': 'inject=?open,openat:error=ENOENT:when=2',
  // Somebody else has made it, and somebody has removed it again.
  'while it is made': 'inject=?mkdir,mkdirat:error=EEXIST:when=1',
};

for (const [moment, inject] of Object.entries(GONE)) {
  needs('strace')(`a folder removed ${moment} is made anew`, async () => {
    const { root, locks } = places();
    if (moment === 'while it is opened') mkdirSync(locks);
    const entry = new URL('../../dist/claims.js', import.meta.url).href;
    const source = `
      const { Claims } = await import(${JSON.stringify(entry)});
      const claims = new Claims(path, { root: args[0] });
      report(await outcome(async () => (await claims.claim({ agent: 'mine', files: ['a'] })).agent));
    `;
    const { reports, stderr } = await runScript(locks, source, {
      args: [root],
      wrap: ['strace', '-f', '-qq', '-o', '/dev/null', '-P', locks, '-e', inject],
    });
    expect({ reports, stderr }).toMatchObject({ reports: [{ value: 'mine' }] });
    expect(readdirSync(locks)).toEqual(['mine.lock']);
  });
}
