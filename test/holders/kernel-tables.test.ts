import { describe, expect, test } from 'vitest';
import type { Walk } from '../../src/holders/kernel-tables.js';
import { viewKernel } from '../../src/holders/kernel-view.js';
import { heldContent, parseContent } from '../../src/holders/owner-record.js';
import { ownIdentity } from '../../src/holders/process-identity.js';

// The kernel's tables as the test wants them: pids are not used again on demand.
const FILE = 'fe:0:77';

const lockLine = (pid: number, mode = 'WRITE', arrow = ''): string =>
  `1: ${arrow}FLOCK  ADVISORY  ${mode} ${pid} fe:00:77 0 EOF\n`;

const withLock = (mode = 'WRITE'): string => `pos:\t0\nlock:\t${lockLine(1, mode)}`;

const stat = (pid: number, ticks = 500): string =>
  `${pid} (a) b) S${' 1'.repeat(18)} ${ticks} 4096 0\n`;

type Tables = Record<string, string | string[] | null | (string | null)[]>;

/** Runs a walk over `tables`; a function is asked each time. */
function walk<R>(steps: Walk<R>, tables: Record<string, Tables[string] | (() => string)>): R {
  let step = steps.next();
  while (step.done !== true) {
    const entry = tables['text' in step.value ? step.value.text : step.value.list] ?? null;
    const answer = typeof entry === 'function' ? entry() : entry;
    step = steps.next(answer as string | string[] | null);
  }
  return step.value;
}

const everyHolder = { everyHolder: true };

const holding = (pid: number, command: string): Tables => ({
  [`/proc/${pid}/fdinfo`]: ['0', '5'],
  [`/proc/${pid}/fdinfo/0`]: 'pos:\t0\n',
  [`/proc/${pid}/fdinfo/5`]: withLock(),
  [`/proc/${pid}/cmdline`]: `/usr/bin/${command}\0-x\0`,
  [`/proc/${pid}/stat`]: stat(pid),
});

const innocent = (pid: number): Tables => ({
  [`/proc/${pid}/fdinfo`]: ['0'],
  [`/proc/${pid}/fdinfo/0`]: 'pos:\t0\n',
  [`/proc/${pid}/cmdline`]: 'innocent\0',
  [`/proc/${pid}/stat`]: stat(pid),
});

describe('the tables', () => {
  test('name a pid that is somebody else by now: the one with the descriptor is named', () => {
    const tables = {
      '/proc': ['1', '40', '41', 'self'],
      '/proc/locks': lockLine(40),
      ...innocent(40),
      ...holding(41, 'child'),
    };
    for (const options of [everyHolder, { everyHolder: false }]) {
      const view = walk(viewKernel(FILE, null, options), tables);
      expect(view?.holders).toMatchObject([{ pid: 41, verified: true, command: 'child -x' }]);
    }
  });

  test('name a dead pid, and nobody can be found: held all the same', () => {
    const tables = { '/proc': ['1'], '/proc/locks': lockLine(40) };
    const view = walk(viewKernel(FILE, null, everyHolder), tables);
    expect(view).toMatchObject({ mode: 'exclusive', holders: [{ pid: null, verified: false }] });
  });

  test('miss a lock in one read: it is not free at first sight', () => {
    let reads = 0;
    const tables = {
      '/proc': ['40'],
      '/proc/locks': () => (++reads < 3 ? '' : lockLine(40)),
      ...holding(40, 'holder'),
    };
    const view = walk(viewKernel(FILE, null, everyHolder), tables);
    expect(view?.holders).toMatchObject([{ pid: 40, verified: true }]);
    expect(reads).toBe(3);
  });

  test('miss it three times: free; cannot be read: not known', () => {
    const free = walk(viewKernel(FILE, null, everyHolder), { '/proc/locks': '' });
    expect(free).toEqual({ mode: null, holders: [], waiters: [], others: [] });
    expect(walk(viewKernel(FILE, null, everyHolder), {})).toBeNull();
  });

  test('list waiters, other files and other kinds of lock apart', () => {
    const others = `2: POSIX  ADVISORY  WRITE 50 fe:00:77 0 EOF\n3: OFDLCK ADVISORY  WRITE -1 fe:00:77 0 EOF\n`;
    const elsewhere =
      '4: FLOCK  ADVISORY  WRITE 51 fe:00:78 0 EOF\n5: FLOCK  ADVISORY  WRITE 52 fd:00:77 0 EOF\n';
    const waiting = lockLine(60, 'WRITE', '-> ') + lockLine(61, 'READ', ' -> ');
    const tables = {
      '/proc': ['40'],
      '/proc/locks': others + elsewhere + lockLine(40) + waiting,
      ...holding(40, 'holder'),
    };
    const view = walk(viewKernel(FILE, null, everyHolder), tables);
    expect(view).toMatchObject({ mode: 'exclusive', holders: [{ pid: 40 }], waiters: [60, 61] });
    expect(view?.others).toEqual([
      { kind: 'posix', mode: 'exclusive', pid: 50 },
      { kind: 'ofd', mode: 'exclusive', pid: null },
    ]);
  });

  test('repeat a lock, as they do while others come and go: it counts once', () => {
    const locks = lockLine(40) + lockLine(60, 'WRITE', '-> ') + lockLine(61, 'WRITE', '-> ');
    const tables = { '/proc': ['40'], '/proc/locks': locks + locks, ...holding(40, 'holder') };
    const view = walk(viewKernel(FILE, null, everyHolder), tables);
    expect(view).toMatchObject({ holders: [{ pid: 40 }], waiters: [60, 61] });
  });

  test('give a record to the holder only where pid and start agree', () => {
    const { start, boot } = ownIdentity();
    const since = new Date(0);
    const record = parseContent(heldContent('json', since.getTime(), 5, '"port":80,'));
    const ticks = Number(start.split('@')[0]);
    const base = {
      '/proc': [String(process.pid)],
      '/proc/locks': lockLine(process.pid),
      ...holding(process.pid, 'node'),
    };
    expect(boot).not.toBe('');
    for (const [stored, expected] of [
      [ticks, { since, data: { port: 80 } }],
      [ticks + 1, { since: null, data: null }],
    ] as const) {
      const tables = { ...base, [`/proc/${process.pid}/stat`]: stat(process.pid, stored) };
      const view = walk(viewKernel(FILE, record, everyHolder), tables);
      expect(view?.holders).toMatchObject([{ pid: process.pid, self: true, ...expected }]);
    }
  });

  test('name the command before the `holdfast run` around it', () => {
    const tables = {
      '/proc': ['40', '41'],
      '/proc/locks': lockLine(40),
      ...holding(40, 'x'),
      '/proc/40/cmdline': 'node\0/usr/bin/holdfast\0run\0a.lock\0deploy\0',
      ...holding(41, 'deploy'),
    };
    for (const options of [everyHolder, { everyHolder: false }]) {
      const view = walk(viewKernel(FILE, null, options), tables);
      expect(view?.holders.map(({ pid }) => pid)).toEqual([41, 40]);
    }
  });
});
