import { expect, test } from 'vitest';
import { tableLines } from '../../src/cli/table.js';

test.each([
  { row: ['src/a.ts', '-', 'unclaimed'] },
  { row: ['a', '', 'with nothing before it', ''] },
  { row: ['漢字', 'é', '…'] },
])('a single row is the same line as in a table: $row', ({ row }) => {
  const [line] = tableLines([row, row]);
  expect(tableLines([row])).toEqual([line]);
});
