import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describeHolder, formatDuration, type Holder, oneLine, printable } from '../base/holder.js';
import { inspect, inspectFolder, type LockStatus } from '../holders/inspect.js';
import { countOnce, isQueue } from '../slots/inspect.js';
import { EXIT, messageWith, usageError } from './exit-codes.js';
import { isLockUrl } from './is-lock-url.js';
import { FLAG, parseMixed } from './options.js';
import type { ServerLooks, ServerStatus } from './status-url.js';
import { formatJson, print, type Streams, say, widthOf } from './streams.js';
import { tableLines } from './table.js';
import { localTime } from './time.js';
import { bytesOf } from './words.js';

const POLL_MILLISECONDS = 500;

/** A status, and its path as the user would type it. */
interface Row {
  shown: string;
  status: LockStatus | ServerStatus;
}

/** `holdfast status`. */
export async function status(argv: string[], streams: Streams): Promise<number> {
  const options = parse(argv);
  const looks = options.paths.some(isLockUrl)
    ? new (await import('./status-url.js')).ServerLooks()
    : null;
  for (const path of options.paths) if (isLockUrl(path)) looks?.check(path);
  try {
    return await repeat(options, looks, streams);
  } finally {
    await looks?.close();
  }
}

async function repeat(
  options: StatusOptions,
  looks: ServerLooks | null,
  streams: Streams,
): Promise<number> {
  let last = '';
  for (;;) {
    const { rows, failed } = await inspectAll(options, looks, streams);
    const statuses = rows.map((row) => row.status);
    const text = JSON.stringify(statuses);
    if (text !== last) {
      last = text;
      if (options.json) print(streams, options.watch ? text : formatJson(statuses));
      else if (rows.length > 0 || !failed) printTable(rows, options.watch, streams);
    }
    if (failed || !options.watch) return failed ? EXIT.data : EXIT.ok;
    await delay(POLL_MILLISECONDS);
  }
}

interface StatusOptions {
  paths: string[];
  json: boolean;
  watch: boolean;
  probe: boolean;
}

export const OPTIONS = { json: FLAG, watch: FLAG, probe: FLAG } as const;

function parse(argv: string[]): StatusOptions {
  const { values, positionals: paths } = parseMixed(argv, OPTIONS, 'status');
  const { json = false, watch = false, probe = false } = values;
  if (paths.length === 0) throw usageError('PATH or URL is missing', 'status');
  return { paths, json, watch, probe };
}

async function inspectAll(
  { paths, probe }: StatusOptions,
  looks: ServerLooks | null,
  streams: Streams,
): Promise<{ rows: Row[]; failed: boolean }> {
  const rows: Row[] = [];
  let failed = false;
  for (const path of paths) {
    const tell = (error: unknown, shown: string): void => {
      failed = true;
      const said = messageWith(error, shown);
      const name = oneLine(shown);
      const about = said.startsWith(`${name}: `) ? said.slice(name.length + 2) : said;
      say(streams, `cannot inspect ${name}: ${printable(about)}`);
    };
    try {
      if (looks !== null && isLockUrl(path)) {
        rows.push({ shown: path, status: await looks.inspect(path) });
        continue;
      }
      rows.push(...(await inspectPath(path, probe, paths.length > 1, tell)));
    } catch (error) {
      tell(error, path);
    }
  }
  return { rows, failed };
}

async function inspectPath(
  path: string,
  probe: boolean,
  several: boolean,
  tell: (error: unknown, shown: string) => void,
): Promise<Row[]> {
  const file = bytesOf(path);
  const own = await inspect(file, { probe });
  if (own.state === 'missing' || !(await stat(file)).isDirectory()) {
    return [{ shown: path, status: own }];
  }
  const rows: Row[] = [];
  // A folder may be locked itself, but the user asks for the files in it.
  if (own.state === 'held') rows.push({ shown: join(path, '.'), status: own });
  const shownAs = (file: string): string => (several ? join(path, basename(file)) : basename(file));
  // If one file cannot be inspected, still show the others.
  const onError = (error: Error, file: string): void => tell(error, shownAs(file));
  const inFolder: LockStatus[] = [];
  for await (const status of inspectFolder(file, { onError })) inFolder.push(status);
  for (const status of countOnce(inFolder)) rows.push({ shown: shownAs(status.path), status });
  return rows;
}

const WIDEST = 60;
const CLEAR_SCREEN = '\x1b[H\x1b[2J';

function printTable(rows: Row[], redraw: boolean, streams: Streams): void {
  if (redraw && streams.stdout.isTTY === true) streams.stdout.write(CLEAR_SCREEN);
  if (rows.length === 0) {
    print(streams, 'no lock files');
    return;
  }
  const head = ['PATH', 'STATE', 'HOLDER', 'FOR', 'WAITING', 'DETAIL'];
  print(streams, tableLines([head, ...rows.map(cells)], widthOf(streams.stdout)));
}

function cells({ shown, status }: Row): string[] {
  const since = status.holders[0]?.since ?? null;
  return [
    printable(shown),
    stateOf(status),
    holdersOf(status) || '-',
    since === null ? '-' : formatDuration(Date.now() - since.getTime()),
    status.waiters.length === 0 ? '-' : String(status.waiters.length),
    detailOf(status) || '-',
  ];
}

function stateOf(status: Row['status']): string {
  const { state, mode, record, otherLocks } = status;
  if (isQueueOfSlots(status)) return 'queue';
  if (state === 'stale') return `free, not released by ${record?.pid}`;
  if (state === 'free' && otherLocks.length > 0) return 'free for flock';
  return state === 'held' && mode === 'shared' ? 'held (shared)' : state;
}

/** Its holder is one of those that wait, which is so of no other lock. */
function isQueueOfSlots({ path, holders, waiters }: Row['status']): boolean {
  const pid = holders[0]?.pid;
  return pid != null && waiters.some((each) => each === pid) && isQueue(path);
}

function holdersOf(status: Row['status']): string {
  const { state, holders, mode } = status;
  const [first] = isQueueOfSlots(status) ? [] : holders;
  if (first === undefined) return '';
  if (state === 'unknown')
    return `perhaps ${first.pid ?? 'in another container'} on ${printable(first.hostname ?? 'an unknown host')}`;
  // If several processes share an exclusive lock, one runs the other: show one.
  const named = mode === 'shared' ? holders : [first];
  const pids = named.map(({ pid }) => pid ?? '?').join(', ');
  if (first.command === null) return pids;
  const { command } = first;
  const short = command.length > WIDEST ? `${command.slice(0, WIDEST - 1)}…` : command;
  return named.length === 1 ? `${pids} ${short}` : `${pids} (${short})`;
}

function detailOf(status: Row['status']): string {
  const details = [ownDetail(status), ...otherDetails(status.otherLocks)];
  return details.filter((detail) => detail !== '').join('; ');
}

const NAMES = { posix: 'an fcntl lock', ofd: 'an OFD lock', lease: 'a lease' };
const MOST_OTHERS = 3;

function otherDetails(locks: LockStatus['otherLocks']): string[] {
  const shown = locks.slice(0, MOST_OTHERS).map(({ kind, mode, pid }) => {
    const who = pid === null ? 'another process' : `pid ${pid}`;
    return `${who} has ${NAMES[kind]} on it${mode === 'shared' ? ' (shared)' : ''}`;
  });
  const more = locks.length - shown.length;
  return more === 0 ? shown : [...shown, `${more} more`];
}

function ownDetail(status: Row['status']): string {
  const { state, holders, record } = status;
  if (isQueueOfSlots(status)) return `first: ${describeHolder(holders[0] as Holder)}`;
  const started = record?.since == null ? undefined : localTime(record.since);
  if (state === 'stale') {
    const alive = record?.running === true ? ', still running' : '';
    return `${started === undefined ? '' : `started ${started}`}${alive}`;
  }
  if (holders[0]?.source === 'server') {
    const hosts = new Set(holders.map(({ hostname }) => printable(hostname ?? 'an unknown host')));
    return `on ${[...hosts].join(', ')}`;
  }
  const data = Object.entries(holders[0]?.data ?? {}).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const shown = printable(data.join(' '));
  if (state !== 'unknown') return shown;
  if (holders.length === 0) return 'no holder seen; try --probe';
  return `${shown === '' ? '' : `${shown}; `}from the file, not verified`;
}
