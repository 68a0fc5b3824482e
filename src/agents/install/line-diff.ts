const CONTEXT = 2;
// Beyond that, what lies between the first and the last change is shown as changed.
const MOST_CELLS = 4_000_000;

type Change = [mark: ' ' | '-' | '+', line: string];

/** What changes in a text, as `diff -u` shows it, without line numbers. Empty: nothing. */
export function lineDiff(before: string, after: string): string[] {
  if (before === after) return [];
  const changes = changesBetween(linesOf(before), linesOf(after));
  const near = changes.map((_, at) =>
    changes.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some(([mark]) => mark !== ' '),
  );
  return changes.flatMap(([mark, line], at) => {
    if (near[at]) return [`${mark}${line}`];
    return at === 0 || near[at - 1] ? ['…'] : [];
  });
}

function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

function changesBetween(a: string[], b: string[]): Change[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  const most = Math.min(a.length, b.length) - start;
  while (end < most && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const same = (lines: string[]): Change[] => lines.map((line) => [' ', line]);
  return [
    ...same(a.slice(0, start)),
    ...between(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...same(a.slice(a.length - end)),
  ];
}

/** By the longest common subsequence. */
function between(a: string[], b: string[]): Change[] {
  const [rows, columns] = [a.length, b.length];
  const all: Change[] = [
    ...a.map((line): Change => ['-', line]),
    ...b.map((line): Change => ['+', line]),
  ];
  if (rows * columns > MOST_CELLS) return all;
  const width = columns + 1;
  const lengths = new Uint32Array((rows + 1) * width);
  const at = (row: number, column: number): number => lengths[row * width + column] as number;
  for (let row = rows - 1; row >= 0; row--) {
    for (let column = columns - 1; column >= 0; column--) {
      lengths[row * width + column] =
        a[row] === b[column]
          ? at(row + 1, column + 1) + 1
          : Math.max(at(row + 1, column), at(row, column + 1));
    }
  }
  const changes: Change[] = [];
  let [row, column] = [0, 0];
  while (row < rows || column < columns) {
    if (row < rows && column < columns && a[row] === b[column]) {
      changes.push([' ', a[row++] as string]);
      column++;
    } else if (column >= columns || (row < rows && at(row + 1, column) >= at(row, column + 1))) {
      changes.push(['-', a[row++] as string]);
    } else {
      changes.push(['+', b[column++] as string]);
    }
  }
  return changes;
}
