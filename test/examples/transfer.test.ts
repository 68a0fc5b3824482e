// @module-tag long
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { until } from '../support/census.js';
import { testFolder } from '../support/folder.js';
import { Program } from '../support/program.js';

const EXAMPLE = fileURLToPath(new URL('../../examples/transfer/', import.meta.url));
const README = readFileSync(join(EXAMPLE, 'README.md'), 'utf8');

const transfer = (...words: unknown[]): Program =>
  Program.start(process.execPath, [join(EXAMPLE, 'transfer.mjs'), ...words.map(String)]);

function bank(balances: Record<string, number>): string {
  const folder = testFolder();
  for (const [name, balance] of Object.entries(balances)) {
    writeFileSync(join(folder, `${name}.json`), JSON.stringify({ balance }));
  }
  return folder;
}

const balanceOf = (folder: string, name: string): number =>
  JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')).balance;

describe('transfers', () => {
  test('the bank prints what its page says, and leaves nothing', async () => {
    const folder = testFolder();
    const env = { ...process.env, TMPDIR: folder };
    const program = Program.start(process.execPath, [join(EXAMPLE, 'bank.mjs')], { env });
    const { code, stdout, stderr } = await program.end();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(README).toContain(`\`\`\`\n${stdout}\`\`\``);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('in a circle of three, by six processes: all end, and nothing is lost', async () => {
    const folder = bank({ a: 100, b: 100, c: 100 });
    const orders = [
      ['a', 'b', 1],
      ['b', 'c', 1],
      ['c', 'a', 1],
      ['b', 'a', 2],
      ['c', 'b', 2],
      ['a', 'c', 2],
    ];
    const programs = orders.map((order) => transfer(folder, ...order, 10));
    for (const program of programs) {
      expect(await program.end()).toMatchObject({ code: 0, stderr: '' });
    }
    expect(['a', 'b', 'c'].map((name) => balanceOf(folder, name))).toEqual([100, 100, 100]);
  });

  test('more than there is: 1, and nothing has changed', async () => {
    const folder = bank({ a: 5, b: 0 });
    const { code, stderr } = await transfer(folder, 'a', 'b', 6).end();
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'transfer: a has only 5\n' });
    expect([balanceOf(folder, 'a'), balanceOf(folder, 'b')]).toEqual([5, 0]);
  });

  test('one that is killed while it waits for the second has changed nothing, and frees the first', async () => {
    const folder = bank({ a: 5, b: 0 });
    const first = join(folder, 'a.lock');
    const held = FileLock.acquireSync(join(folder, 'b.lock'));
    const program = transfer(folder, 'b', 'a', 1);
    await until(() => {
      const lock = FileLock.tryAcquire(first);
      lock?.releaseSync();
      return lock === null;
    });
    await program.kill();
    held.releaseSync();
    expect(await transfer(folder, 'a', 'b', 1).end()).toMatchObject({ code: 0 });
    expect([balanceOf(folder, 'a'), balanceOf(folder, 'b')]).toEqual([4, 1]);
  });

  test.each([[[]], [['f', 'a', 'b']], [['f', 'a', 'a', 1]], [['f', 'a', 'b', -1]]])(
    'wrong words are 64: %j',
    async (words) => {
      expect(await transfer(...words).end()).toMatchObject({ code: 64, stdout: '' });
    },
  );
});
