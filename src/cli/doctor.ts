import {
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { printable } from '../base/holder.js';
import { type Mount, parseMount } from '../base/proc.js';
import { monotonicTime, sleep } from '../base/timers.js';
import { inspect } from '../holders/inspect.js';
import { FileLock } from '../lock/file-lock.js';
import { loadBinding } from '../native/load.js';
import { ownCommand } from '../native/own-command.js';
import { checkHooks, type HookCheck, hookLines, sessionAbove } from './doctor-hooks.js';
import { count, runPeer } from './doctor-peer.js';
import { PeerProcess } from './doctor-peer-process.js';
import { EXIT, Exit, messageOf, usageError } from './exit-codes.js';
import { isLockUrl } from './is-lock-url.js';
import { FLAG, parseMixed, QUIET } from './options.js';
import { formatJson, print, type Streams, widthOf } from './streams.js';
import { tableLines } from './table.js';

interface Check {
  /** What the check expects. */
  what: string;
  /** `null`: not available here, which is not an error. */
  ok: boolean | null;
  detail: string;
}

interface Diagnosis {
  directory: string;
  fileSystem: string;
  remote: boolean;
  works: boolean;
  checks: Check[];
  promised: string[];
  notPromised: string[];
  /** Of programs that run agents here. */
  hooks: HookCheck[];
  session: string;
}

const LIMIT_MILLISECONDS = 20_000;

/** `holdfast doctor`: tests whether locks work in a folder. */
export async function doctor(argv: string[], streams: Streams): Promise<number> {
  if (argv[0] === '--peer') return runPeer(streams);
  const options = parse(argv);
  const { directory, json, quiet } = options;
  const diagnosis = await examine(directory);
  if (!quiet)
    print(
      streams,
      json ? formatJson(diagnosis) : report(diagnosis, directory, widthOf(streams.stdout)),
    );
  return diagnosis.works && diagnosis.hooks.every(({ ok }) => ok !== false) ? EXIT.ok : EXIT.data;
}

export const OPTIONS = { json: FLAG, quiet: QUIET } as const;

function parse(argv: string[]): { directory: string; json: boolean; quiet: boolean } {
  const { values, positionals } = parseMixed(argv, OPTIONS, 'doctor');
  const [directory, extra] = positionals;
  if (directory === undefined) throw usageError('DIR is missing', 'doctor');
  if (extra !== undefined) throw usageError(`unexpected argument '${extra}'`, 'doctor');
  if (isLockUrl(directory)) {
    throw usageError(
      `DIR is a folder, not a URL; for a lock on a server, use ${ownCommand()} status URL`,
      'doctor',
    );
  }
  return { directory, json: values.json === true, quiet: values.quiet === true };
}

async function examine(typed: string): Promise<Diagnosis> {
  let folder: string;
  try {
    folder = mkdtempSync(join(realpathSync(typed), '.holdfast-doctor-'));
  } catch (error) {
    throw cannotTest(typed, messageOf(error));
  }
  const other = new PeerProcess();
  const checks: Check[] = [];
  try {
    const remote = loadBinding(folder).remote(folder) === 1;
    for (const [what, run] of Object.entries(CHECKS)) {
      const check = await perform(what, () => run(folder, other, remote));
      if (NO_SPACE.test(check.detail)) throw cannotTest(typed, check.detail);
      checks.push(check);
    }
    const works = checks.every(({ ok }) => ok !== false);
    const said = { directory: resolve(typed), fileSystem: fileSystemOf(folder), remote, works };
    const hooks = checkHooks(said.directory);
    return { ...said, checks, ...promises(remote, works, checks), hooks, session: sessionAbove() };
  } finally {
    other.kill();
    removeOwn(folder);
  }
}

/** Removes only our files. If the folder has others as well, it stays. */
function removeOwn(folder: string): void {
  for (const name of FILES) rmSync(join(folder, name), { force: true });
  try {
    rmdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}

// Failing to create a file says nothing about locks.
const NO_SPACE = /^(?:ENOSPC|EDQUOT)\b/;

function cannotTest(typed: string, why: string): Exit {
  return new Exit(EXIT.cantCreate, `cannot test locks in ${printable(typed)}: ${why}`);
}

async function perform(what: string, run: () => Promise<Omit<Check, 'what'>>): Promise<Check> {
  const ended = new AbortController();
  const late = sleep(LIMIT_MILLISECONDS, ended.signal).then(() => {
    throw new Error(`no answer within ${LIMIT_MILLISECONDS / 1000}s`);
  });
  late.catch(() => {});
  try {
    return { what, ...(await Promise.race([run(), late])) };
  } catch (error) {
    return { what, ok: false, detail: printable((error as Error).message) };
  } finally {
    ended.abort();
  }
}

type Run = (folder: string, other: PeerProcess, remote: boolean) => Promise<Omit<Check, 'what'>>;

/** All files that the checks create in the folder. */
const FILES = [
  'same.lock',
  'other.lock',
  'count.lock',
  'count.lock.count',
  'handover.lock',
  'holder.lock',
  'killed.lock',
];

// Records need space on the disk; locks do not.
const NO_RECORD = { record: false } as const;

/** In this order. Each check releases its locks. */
const CHECKS: Record<string, Run> = {
  'a second lock of the same file is refused': async (folder) => {
    const path = join(folder, 'same.lock');
    const lock = FileLock.acquireSync(path, NO_RECORD);
    const second = FileLock.tryAcquire(path, NO_RECORD);
    second?.releaseSync();
    lock.releaseSync();
    return { ok: second === null, detail: second === null ? '' : 'both were granted' };
  },
  'another process is refused, or shares a shared lock': async (folder, other) => {
    const path = join(folder, 'other.lock');
    const lock = FileLock.acquireSync(path, NO_RECORD);
    const refused = await other.ask('try', path);
    lock.releaseSync();
    const shared = FileLock.acquireSync(path, { ...NO_RECORD, mode: 'shared' });
    const beside = await other.ask('share', path);
    await other.ask('release');
    const excluded = await other.ask('try', path);
    shared.releaseSync();
    const answers = [refused, beside, excluded].join(', ');
    return { ok: answers === 'refused, granted, refused', detail: answers };
  },
  'two processes that contend lose no update': async (folder, other) => {
    const path = join(folder, 'count.lock');
    writeFileSync(`${path}.count`, '');
    const [own, theirs] = await Promise.all([count(path), other.ask('count', path)]);
    const counted = statSync(`${path}.count`).size;
    const expected = own + Number(theirs);
    return { ok: counted === expected, detail: `${counted} of ${expected} rounds counted` };
  },
  'a released lock goes to the waiter': async (folder, other) => {
    const path = join(folder, 'handover.lock');
    const lock = FileLock.acquireSync(path, NO_RECORD);
    if ((await other.waitFor(path)) === 'granted') {
      lock.releaseSync();
      return { ok: false, detail: 'it did not wait' };
    }
    const began = monotonicTime();
    lock.releaseSync();
    await other.granted();
    const took = monotonicTime() - began;
    await other.ask('release');
    return { ok: true, detail: `after ${took.toFixed(1)} ms` };
  },
  'the system shows the holder': async (folder, other) => {
    const path = join(folder, 'holder.lock');
    await other.waitFor(path);
    const { state, holders } = await inspect(path);
    await other.ask('release');
    const seen = state === 'held' && holders.some(({ pid }) => pid === other.pid);
    return {
      ok: seen ? true : null,
      detail: seen ? '' : 'only the record in the file shows it',
    };
  },
  'a folder can be locked (scope claims need it)': async (folder) => {
    try {
      FileLock.acquireSync(folder).releaseSync();
      return { ok: true, detail: '' };
    } catch (error) {
      return { ok: null, detail: printable((error as Error).message) };
    }
  },
  'the lock of a killed holder goes to the waiter': async (folder, other) => {
    const path = join(folder, 'killed.lock');
    await other.waitFor(path);
    const early = FileLock.tryAcquire(path, NO_RECORD);
    early?.releaseSync();
    if (early !== null) return { ok: false, detail: 'it did not wait' };
    const waiting = FileLock.acquire(path, { ...NO_RECORD, timeout: LIMIT_MILLISECONDS });
    const began = monotonicTime();
    other.kill();
    const lock = await waiting;
    const took = monotonicTime() - began;
    lock.releaseSync();
    return { ok: true, detail: `after ${took.toFixed(1)} ms` };
  },
};

function promises(
  remote: boolean,
  works: boolean,
  checks: Check[],
): Pick<Diagnosis, 'promised' | 'notPromised'> {
  const missing = checks
    .filter(({ ok }) => ok === null)
    .map(({ what }) => `not available here: ${what}`);
  if (!works) {
    return { promised: [], notPromised: ['do not rely on locks in this folder', ...missing] };
  }
  const promised = [
    'one exclusive holder, among all programs on this machine that take the same lock',
    'the lock is free once its holder has ended, however it ended',
  ];
  const notPromised = ['programs that do not take the lock are not kept out', ...missing];
  const polls = 'a waiter polls every 50 ms, and any of the waiters may be next';
  if (!remote) {
    if (process.platform !== 'linux') notPromised.push(polls);
    else promised.push('waiting costs no CPU time, and ends as soon as the lock is free');
    notPromised.push('other machines: this file system is local');
  } else {
    notPromised.push(
      'other machines: this depends on the server and the mount, and was tested on this machine only',
      polls,
      'after a lost connection the server may give the lock to another machine',
      'stealing a lock (force: steal) and removing lock files safely',
    );
  }
  return { promised, notPromised };
}

function report(diagnosis: Diagnosis, typed: string, width?: number): string[] {
  const { fileSystem, remote, works, checks, promised, notPromised, hooks, session } = diagnosis;
  const mark = (ok: boolean | null): string => (ok === null ? '-' : ok ? 'ok' : 'FAILED');
  const rows = checks.map(({ what, ok, detail }) => [mark(ok), what, detail]);
  const list = (title: string, lines: string[]): string[] =>
    lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)];
  return [
    `${printable(typed)}: ${fileSystem}, ${remote ? 'a network or FUSE file system' : 'local'}`,
    ...tableLines(rows, width),
    ...list('promised here:', promised),
    ...list('not promised:', notPromised),
    ...hookLines(hooks, session, width),
    works ? 'locks work here' : 'locks do NOT work here',
  ];
}

/** The name that the system uses: `ext4`, `nfs4`. */
function fileSystemOf(folder: string): string {
  if (process.platform !== 'linux') return 'file system unknown';
  let table: string;
  try {
    table = readFileSync('/proc/self/mountinfo', 'utf8');
  } catch {
    return 'file system unknown';
  }
  let best: Mount | undefined;
  for (const line of table.split('\n')) {
    const mount = parseMount(line);
    if (mount === null) continue;
    const around = mount.point === '/' || `${folder}/`.startsWith(`${mount.point}/`);
    // Of several mounts at one place, the last one counts.
    if (around && mount.point.length >= (best?.point.length ?? 0)) best = mount;
  }
  return best?.type ?? 'file system unknown';
}
