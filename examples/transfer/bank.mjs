#!/usr/bin/env node
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { balanceOf, setBalance, total } from './accounts.mjs';

const TRANSFER = fileURLToPath(new URL('transfer.mjs', import.meta.url));
const NAMES = ['alice', 'bob'];
const COUNT = 50;
// Two processes in each direction.
const ORDERS = [
  ['alice', 'bob', 3],
  ['bob', 'alice', 2],
  ['alice', 'bob', 3],
  ['bob', 'alice', 2],
];

const folder = mkdtempSync(join(tmpdir(), 'holdfast-transfer-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const show = async () => {
  const sum = await total(folder, NAMES);
  const each = NAMES.map((name) => `${name} ${balanceOf(folder, name)}`);
  console.log(`${each.join(', ')}: ${sum} in all`);
};

async function run([from, to, amount]) {
  const words = [TRANSFER, folder, from, to, amount, COUNT];
  const child = spawn(process.execPath, words.map(String), { stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  if (code !== 0) process.exitCode = 1;
}

for (const name of NAMES) setBalance(folder, name, 1000);
await show();
for (const [from, to, amount] of ORDERS) {
  console.log(`  ${COUNT} times ${amount} from ${from} to ${to}`);
}
await Promise.all(ORDERS.map(run));
await show();
