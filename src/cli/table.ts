import Table from 'cli-table3';

/** Rows as lines, their columns aligned and without borders. */
export function tableLines(rows: string[][], gap = 2): string[] {
  const nothing = ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid'];
  const none = [...nothing, 'bottom-left', 'bottom-right', 'left', 'left-mid', 'mid', 'mid-mid'];
  const table = new Table({
    chars: Object.fromEntries([...none, 'right', 'right-mid', 'middle'].map((each) => [each, ''])),
    style: { 'padding-left': 0, 'padding-right': gap, head: [], border: [] },
  });
  table.push(...rows);
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
}
