import Table from 'cli-table3';

// cli-table3 takes time quadratic in the number of rows, so give it pieces.
const PIECE = 100;

/** Formats rows as lines with aligned columns and no borders. */
export function tableLines(rows: string[][], gap = 2): string[] {
  // A single row has nothing to align with.
  const [only] = rows;
  if (only !== undefined && rows.length === 1) return [only.join(' '.repeat(gap)).trimEnd()];
  if (rows.length <= PIECE) return linesOf(rows, gap);
  const columns = Math.max(...rows.slice(0, PIECE).map((row) => row.length));
  const widths = Array.from({ length: columns }, () => 0);
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, widthAtMost(cell) + gap);
    });
  }
  const lines: string[] = [];
  for (let at = 0; at < rows.length; at += PIECE) {
    lines.push(...linesOf(rows.slice(at, at + PIECE), gap, widths));
  }
  return lines;
}

function linesOf(rows: string[][], gap: number, colWidths?: number[]): string[] {
  const nothing = ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid'];
  const none = [...nothing, 'bottom-left', 'bottom-right', 'left', 'left-mid', 'mid', 'mid-mid'];
  const table = new Table({
    chars: Object.fromEntries([...none, 'right', 'right-mid', 'middle'].map((each) => [each, ''])),
    style: { 'padding-left': 0, 'padding-right': gap, head: [], border: [] },
    ...(colWidths !== undefined && { colWidths }),
  });
  table.push(...rows);
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
}

/** An upper bound: a character takes at most two columns, one of ASCII at most one. */
function widthAtMost(cell: string): number {
  let width = 0;
  for (const character of cell) width += character < '\x80' ? 1 : 2;
  return width;
}
