import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Claims } from '../../src/claims.js';
import { NARROW, setting } from '../support/claims-bound.js';
import { ClaimsPeer, endProcess, places } from '../support/claims-peer.js';
import { conflictOf, setUp } from '../support/claims-setting.js';
import { errorOf } from '../support/refused.js';

const JOURNAL = '.holdfast-edits';
const fieldsOf = (file: string): Record<string, unknown> => JSON.parse(readFileSync(file, 'utf8'));
const inodeOf = (file: string): string => String(statSync(file, { bigint: true }).ino);

test('extended and shrunk in place: the inode and the lent descriptor stay the locked ones', async () => {
  const { owner, other, file, stateOf, claims } = await setting();
  const child = await owner.lend('wide');
  const before = { ino: inodeOf(file), id: fieldsOf(file)['id'] };
  await owner.extend('wide', { directories: ['docs/'] });
  await owner.extend('wide', { release: ['src/b/'] });
  expect(fieldsOf(file)).toMatchObject({ id: before.id, directories: ['docs/'] });
  expect(inodeOf(file)).toBe(before.ino);
  expect(await owner.call('fileOfDescriptor', 'wide')).toBe(Number(before.ino));
  await other.claim(NARROW);
  await owner.kill();
  expect(await stateOf('wide')).toBe('active');
  await conflictOf(claims.claim({ agent: 'x', files: ['docs/x'] }));
  endProcess(child);
  await expect.poll(() => stateOf('wide')).toBe('orphaned');
});

test('another process extends and shrinks it, and its owner follows', async () => {
  const { owner, other, file, claims, stateOf } = await setting();
  const ino = inodeOf(file);
  await other.claim({ agent: 'wide', directories: ['docs/'], extend: true });
  await expect.poll(() => owner.call('covers', 'wide', 'docs/x')).toBe(true);
  expect(await claims.release('wide', { paths: ['src/b/'] })).toBe(true);
  await expect.poll(() => owner.call('covers', 'wide', 'src/b/a.ts')).toBe(false);
  expect(await owner.describe('wide')).toMatchObject({ aborted: false });
  expect(inodeOf(file)).toBe(ino);
  // Only its owner ends it.
  await expect(other.call('release', 'wide')).rejects.toMatchObject({ code: 'ERR_LOCK_HELD' });
  for (const paths of [['src/', 'docs/'], ['.']]) {
    const all = claims.release('wide', { paths });
    await expect(all).rejects.toMatchObject({ code: 'ERR_LOCK_HELD' });
  }
  const lost = other.event('lost', 'wide');
  await owner.kill();
  expect(await stateOf('wide')).toBe('orphaned');
  expect(await lost).toBe('ERR_LOCK_LOST');
});

test('a waiter for a part of it is granted when that is released', async () => {
  const { owner, other, claims } = await setting();
  const { granted } = await other.waitFor(NARROW);
  await owner.extend('wide', { release: ['src/b/'] });
  await granted;
  expect(await claims.audit()).toEqual([]);
});

test('two changes in a row are both seen by its owner', async () => {
  const { owner, claims } = await setting();
  for (let round = 0; round < 20; round++) {
    const paths = [`doc/${round}`];
    await claims.claim({ agent: 'wide', files: paths, extend: true });
    expect(await claims.release('wide', { paths })).toBe(true);
  }
  await expect
    .poll(async () => (await owner.describe('wide')).files, { timeout: 5000 })
    .toEqual(['src/*/a.ts']);
});

test('is not bound to a second process', async () => {
  const { owner, other } = await setting();
  const second = other.claim({ agent: 'wide', files: ['x'], extend: true, bind: true });
  await expect(second).rejects.toMatchObject({ code: 'ERR_LOCK_HELD', holder: { pid: owner.pid } });
});

test('an unbound claim that is bound keeps its id, and ends with its process', async () => {
  const { root, locks } = places();
  const [one, other] = (await ClaimsPeer.startMany(2, locks, root)) as [ClaimsPeer, ClaimsPeer];
  await one.claim({ agent: 'a', files: ['x'] });
  const file = join(locks, 'a.lock');
  const { id } = fieldsOf(file);
  await one.claim({ agent: 'a', files: ['y'], extend: true, bind: true });
  expect(fieldsOf(file)).toMatchObject({ id, files: ['x', 'y'], bound: { pid: one.pid } });
  await expect(other.claim({ agent: 'b', files: ['x'] })).rejects.toMatchObject({
    code: 'ERR_CLAIM_CONFLICT',
  });
  await one.kill();
  await other.claim({ agent: 'b', files: ['x', 'y'] });
});

test('a bound claim that Holdfast 0.1.0 has written is changed only by its own process', async () => {
  const { owner, other, file, claims } = await setting();
  const { parts: _parts, ...old } = fieldsOf(file);
  writeFileSync(file, JSON.stringify(old).padEnd(statSync(file).size), { flag: 'r+' });
  const before = readFileSync(file, 'utf8');
  const HELD = { code: 'ERR_LOCK_HELD', holder: { pid: owner.pid } };
  const changes = [
    () => other.claim({ agent: 'wide', files: ['x'], extend: true }),
    () => other.claim({ agent: 'wide', release: ['src/b/'] }),
    () => other.call('claimAll', [{ agent: 'wide', release: ['src/b/'] }, NARROW]),
    () => claims.release('wide', { paths: ['src/b/'] }),
  ];
  for (const change of changes) expect(await errorOf(change)).toMatchObject(HELD);
  expect(readFileSync(file, 'utf8')).toBe(before);
  expect(await owner.describe('wide')).toMatchObject({ aborted: false });
  await owner.extend('wide', { files: ['x'] });
  expect(fieldsOf(file)).toHaveProperty('parts');
  expect(await claims.release('wide', { paths: ['x'] })).toBe(true);
});

test('a file that is half written for a moment is not lost to its owner', async () => {
  const { owner, file } = await setting();
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.slice(0, 40), { flag: 'r+' });
  writeFileSync(file, '{', { flag: 'r+' });
  writeFileSync(file, text, { flag: 'r+' });
  await owner.call('renew', 'wide');
  expect(await owner.describe('wide')).toMatchObject({ aborted: false });
});

test('edited in place, it has the new scope: the owner follows', async () => {
  const { owner, other, file } = await setting();
  const text = readFileSync(file, 'utf8');
  const edited = text.replace('"src/*/a.ts"', '"doc/*/a.ts"');
  writeFileSync(file, edited, { flag: 'r+' });
  await expect.poll(() => owner.call('covers', 'wide', 'doc/b/a.ts')).toBe(true);
  expect(await owner.call('covers', 'wide', 'src/b/a.ts')).toBe(false);
  await other.claim(NARROW);
  expect(await owner.describe('wide')).toMatchObject({ aborted: false });
});

interface Journal {
  claims: Claims;
  locks: string;
  file: string;
  owner: ClaimsPeer;
  write: (edit: object) => void;
}

/** A bound claim, and a journal that a killed process has left. */
async function journaled(): Promise<Journal> {
  const { owner, file, locks, claims } = await setting();
  const fields = fieldsOf(file);
  const text = `${JSON.stringify({ ...fields, files: ['src/*/a.ts', 'docs/x'] })}\n`;
  const write = (edit: object): void => {
    const step = { to: 'wide.lock', inode: inodeOf(file), id: fields['id'], text, ...edit };
    writeFileSync(join(locks, JOURNAL), JSON.stringify({ steps: [step] }));
  };
  return { claims, locks, file, owner, write };
}

test('a change in place that was not carried out counts for readers, and the next to claim finishes it', async () => {
  const { claims, locks, file, owner, write } = await journaled();
  const before = readFileSync(file, 'utf8');
  write({});
  expect(await claims.check(['docs/x'])).toMatchObject([{ verdict: 'other' }]);
  expect((await claims.list())[0]?.files).toEqual(['src/*/a.ts', 'docs/x']);
  expect(readFileSync(file, 'utf8')).toBe(before);
  expect(existsSync(join(locks, JOURNAL))).toBe(true);
  await conflictOf(claims.claim({ agent: 'x', files: ['docs/x'] }));
  expect(fieldsOf(file)['files']).toEqual(['src/*/a.ts', 'docs/x']);
  expect(readdirSync(locks)).toEqual(['wide.lock']);
  await expect.poll(() => owner.call('covers', 'wide', 'docs/x')).toBe(true);
  expect(await owner.describe('wide')).toMatchObject({ aborted: false });
});

test('one that was torn in the middle is finished', async () => {
  const { claims, locks, file, owner, write } = await journaled();
  write({});
  writeFileSync(file, '{"agent":"wide","locked_at":"2026', { flag: 'r+' });
  expect(await claims.list()).toMatchObject([{ state: 'active', files: ['src/*/a.ts', 'docs/x'] }]);
  expect(await claims.prune()).toEqual([]);
  expect(fieldsOf(file)['files']).toEqual(['src/*/a.ts', 'docs/x']);
  expect(readdirSync(locks)).toEqual(['wide.lock']);
  expect(await owner.describe('wide')).toMatchObject({ aborted: false });
});

test('one that removes a claim counts as well', async () => {
  const { claims, locks, write } = await journaled();
  write({ text: null });
  expect(await claims.list()).toEqual([]);
  await claims.claim(NARROW);
  expect(readdirSync(locks)).toEqual(['narrow.lock']);
});

test.each<[string, object]>([
  ['another inode', { inode: '1' }],
  ['another id', { id: 'x' }],
])('a file with %s than the one that is meant stays as it is', async (_what, edit) => {
  const { claims, locks, file, write } = await journaled();
  const before = readFileSync(file, 'utf8');
  write(edit);
  expect((await claims.list())[0]?.files).toEqual(['src/*/a.ts']);
  await claims.claim({ agent: 'x', files: ['docs/x'] });
  expect(readFileSync(file, 'utf8')).toBe(before);
  expect(readdirSync(locks).sort()).toEqual(['wide.lock', 'x.lock']);
});

test('a file that was removed is not created again', async () => {
  const { claims, locks, file, write } = await journaled();
  write({});
  rmSync(file);
  expect(await claims.list()).toEqual([]);
  await claims.claim({ agent: 'x', files: ['docs/x'] });
  expect(readdirSync(locks)).toEqual(['x.lock']);
});

const BEGINNING = '{"steps":[{"to":"a.lock","inode":"1"';

test.each(['', '\0\0\0', BEGINNING, `${BEGINNING}}]}`, `${BEGINNING},"id":null,"text":1}]}`])(
  'a journal %j, as a power failure may leave it, changes nothing',
  async (journal) => {
    const { directory, claims } = setUp();
    writeFileSync(join(directory, JOURNAL), journal);
    expect(await claims.list()).toEqual([]);
    await claims.claim({ agent: 'a', files: ['x'] });
    expect(readdirSync(directory)).toEqual(['a.lock']);
  },
);

test("another program's file with the name of the journal is left alone", async () => {
  const { owner, locks } = await setting();
  const path = join(locks, JOURNAL);
  writeFileSync(path, 'mine');
  const refused = owner.extend('wide', { files: ['x'] });
  await expect(refused).rejects.toMatchObject({ code: 'ERR_CLAIM_INVALID' });
  expect(readFileSync(path, 'utf8')).toBe('mine');
  await owner.call('renew', 'wide');
});

test('a longer text and then a shorter one: nothing of the first is left', async () => {
  const { owner, file } = await setting();
  const files = Array.from({ length: 300 }, (_, at) => `long/name/of/a/file/number-${at}.ts`);
  await owner.extend('wide', { files });
  expect(fieldsOf(file)['files']).toHaveLength(301);
  await owner.extend('wide', { release: ['long/'] });
  expect(fieldsOf(file)['files']).toEqual(['src/*/a.ts']);
  await owner.call('renew', 'wide');
  expect(await owner.describe('wide')).toMatchObject({ aborted: false });
});

test('what it had is lost with the folder, and is not extended in a copy of it', async () => {
  const { owner, locks, file } = await setting();
  cpSync(locks, `${locks}.copy`, { recursive: true });
  rmSync(locks, { recursive: true });
  mkdirSync(locks);
  cpSync(`${locks}.copy/wide.lock`, file);
  const before = readFileSync(file, 'utf8');
  expect(await errorOf(() => owner.extend('wide', { files: ['x'] }))).toMatchObject({
    code: 'ERR_LOCK_LOST',
  });
  expect(readFileSync(file, 'utf8')).toBe(before);
});
