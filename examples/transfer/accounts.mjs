import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withLocks } from '../../dist/index.js';

const TIMEOUT_MILLISECONDS = 10_000;

const fileOf = (folder, name) => join(folder, `${name}.json`);
// A separate file, because a write replaces the account's file.
const lockOf = (folder, name) => join(folder, `${name}.lock`);

export function balanceOf(folder, name) {
  return JSON.parse(readFileSync(fileOf(folder, name), 'utf8')).balance;
}

export function setBalance(folder, name, balance) {
  const file = fileOf(folder, name);
  writeFileSync(`${file}.new`, `${JSON.stringify({ balance })}\n`);
  renameSync(`${file}.new`, file);
}

/** Both accounts are locked, in whatever direction the money goes. */
export async function transfer(folder, { from, to, amount }) {
  const locks = [lockOf(folder, from), lockOf(folder, to)];
  await withLocks(locks, { timeout: TIMEOUT_MILLISECONDS }, () => {
    const left = balanceOf(folder, from) - amount;
    if (left < 0) throw new Error(`${from} has only ${left + amount}`);
    setBalance(folder, from, left);
    setBalance(folder, to, balanceOf(folder, to) + amount);
  });
}

/** The sum of all accounts at one moment. */
export async function total(folder, names) {
  const locks = names.map((name) => lockOf(folder, name));
  return withLocks(locks, { mode: 'shared', timeout: TIMEOUT_MILLISECONDS }, () =>
    names.reduce((sum, name) => sum + balanceOf(folder, name), 0),
  );
}
