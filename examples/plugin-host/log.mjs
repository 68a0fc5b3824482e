import { appendFileSync, closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';

/** Longer than any line. */
const TAIL = 200;

/** One line, in one write: the number of the tick, who wrote it, in which term, and when. */
export function append(log, { number, id, term }) {
  const now = performance.timeOrigin + performance.now();
  appendFileSync(log, `${number} ${id} ${term} ${now.toFixed(1)}\n`);
}

/** The number in the last line; 0 if there is none. */
export function lastTick(log) {
  const fd = openSync(log, 'a+');
  try {
    const tail = Buffer.alloc(TAIL);
    const length = readSync(fd, tail, 0, TAIL, Math.max(0, fstatSync(fd).size - TAIL));
    const line = tail.toString('utf8', 0, length).trimEnd().split('\n').at(-1);
    return Number.parseInt(line, 10) || 0;
  } finally {
    closeSync(fd);
  }
}

/**
 * Examines the log: how many of the ticks 1 to `ticks` are missing or duplicate,
 * and for each change of the primary, the milliseconds without a line.
 */
export function examine(log, ticks) {
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n').map(parse);
  const numbers = new Set(lines.map(({ number }) => number));
  const changes = [];
  let backwards = 0;
  for (const [at, line] of lines.entries()) {
    const before = lines[at - 1];
    if (before === undefined || line.term === before.term) continue;
    if (line.term < before.term) backwards++;
    changes.push({ from: before.id, to: line.id, term: line.term, gap: line.time - before.time });
  }
  return {
    lines: lines.length,
    twice: lines.length - numbers.size,
    missing: ticks - numbers.size,
    backwards,
    changes,
  };
}

function parse(line) {
  const [number, id, term, time] = line.split(' ');
  return { number: Number(number), id, term: Number(term), time: Number(time) };
}
