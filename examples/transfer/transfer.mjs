#!/usr/bin/env node
import { transfer } from './accounts.mjs';

const [folder, from, to, ...numbers] = process.argv.slice(2);
const [amount, count = 1] = numbers.map(Number);
const isWhole = (number) => Number.isInteger(number) && number > 0;
if (!isWhole(amount) || !isWhole(count) || numbers.length > 2 || from === to) {
  console.error('usage: transfer.mjs FOLDER FROM TO AMOUNT [COUNT]');
  process.exit(64);
}
try {
  for (let done = 0; done < count; done++) await transfer(folder, { from, to, amount });
} catch (error) {
  console.error(`transfer: ${error.message}`);
  process.exitCode = 1;
}
