import Table from 'cli-table3';

// cli-table3 takes time quadratic in the number of rows, so give it pieces.
const PIECE = 100;

const GAP = 2;
/** A column that is cut to less says nothing. */
const LEAST = 4;

/**
 * Formats rows as lines with aligned columns and no borders. `width`: that of a
 * terminal; the widest columns are cut to fit into it.
 */
export function tableLines(whole: string[][], width?: number): string[] {
  const gap = GAP;
  const rows = fitted(whole, width);
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

/** Cuts all columns to one width, as large as fits; narrower ones stay whole. */
function fitted(rows: string[][], width: number | undefined): string[][] {
  if (width === undefined) return rows;
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => widthAtMost(row[column] ?? ''))),
  );
  const room = width - GAP * (columns - 1);
  const total = (most: number): number =>
    widths.reduce((sum, each) => sum + Math.min(each, most), 0);
  let most = Math.max(...widths, 0);
  while (most > LEAST && total(most) > room) most--;
  return rows.map((row) => row.map((cell) => cut(cell, most)));
}

/** Of a path, the end says most; of other texts the beginning. */
function cut(cell: string, most: number): string {
  if (widthAtMost(cell) <= most) return cell;
  const isPath = cell.includes('/') && !cell.includes(' ');
  const characters = isPath ? [...cell].reverse() : [...cell];
  let kept = '';
  let left = most - 1;
  for (const character of characters) {
    left -= widthAtMost(character);
    if (left < 0) break;
    kept = isPath ? `${character}${kept}` : `${kept}${character}`;
  }
  return isPath ? `…${kept}` : `${kept}…`;
}

/** An upper bound: a character takes at most two columns, one of ASCII at most one. */
function widthAtMost(cell: string): number {
  let width = 0;
  for (const character of cell) width += character < '\x80' ? 1 : 2;
  return width;
}
