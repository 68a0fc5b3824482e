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
import { parseArgs } from 'node:util';
import { printable } from '../base/holder.js';
import { type Mount, parseMount } from '../base/proc.js';
import { sleep } from '../base/timers.js';
import { inspect } from '../holders/inspect.js';
import { FileLock } from '../lock/file-lock.js';
import { loadBinding } from '../native/binding.js';
import { count, peer } from './doctor-peer.js';
import { Peer } from './doctor-second.js';
import { EXIT, Exit, messageOf, usageError } from './exit-codes.js';
import type { Streams } from './streams.js';
import { tableLines } from './table.js';

interface Check {
  /** What was to be seen. */
  what: string;
  /** `false`: it was not. `null`: it cannot be had here, which is no fault. */
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
}

const LIMIT_MILLISECONDS = 20_000;

/** `holdfast doctor`: do locks really work here? */
export async function doctor(argv: string[], streams: Streams): Promise<number> {
  if (argv[0] === '--peer') return peer(streams);
  const options = parse(argv);
  if (options === null) {
    streams.stdout.write((await import('./help.js')).DOCTOR_HELP);
    return EXIT.ok;
  }
  const diagnosis = await examine(options.directory);
  if (options.json) streams.stdout.write(`${JSON.stringify(diagnosis, null, 2)}\n`);
  else streams.stdout.write(`${report(diagnosis, options.directory).join('\n')}\n`);
  return diagnosis.works ? EXIT.ok : EXIT.data;
}

function parse(argv: string[]): { directory: string; json: boolean } | null {
  const flag = { type: 'boolean', default: false } as const;
  try {
    const { values, positionals } = parseArgs({
      args: argv,
      allowPositionals: true,
      options: { json: flag, help: { ...flag, short: 'h' } },
    });
    if (values.help) return null;
    const [directory] = positionals;
    if (directory !== undefined && positionals.length === 1) {
      return { directory, json: values.json };
    }
  } catch (error) {
    throw usageError((error as Error).message.split('. ')[0] ?? '', 'doctor');
  }
  throw usageError('one folder is needed', 'doctor');
}

async function examine(typed: string): Promise<Diagnosis> {
  let folder: string;
  try {
    folder = mkdtempSync(join(realpathSync(typed), '.holdfast-doctor-'));
  } catch (error) {
    throw cannotTry(typed, messageOf(error));
  }
  const other = new Peer();
  const checks: Check[] = [];
  try {
    const remote = loadBinding(folder).remote(folder) === 1;
    for (const [what, look] of Object.entries(CHECKS)) {
      const check = await perform(what, () => look(folder, other, remote));
      if (NO_ROOM.test(check.detail)) throw cannotTry(typed, check.detail);
      checks.push(check);
    }
    const works = checks.every(({ ok }) => ok !== false);
    const said = { directory: resolve(typed), fileSystem: fileSystemOf(folder), remote, works };
    return { ...said, checks, ...promises(remote, works, checks) };
  } finally {
    other.kill();
    removeOwn(folder);
  }
}

/** By name: what somebody else has put into the folder stays, and so does the folder. */
function removeOwn(folder: string): void {
  for (const name of FILES) rmSync(join(folder, name), { force: true });
  try {
    rmdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}

// A file could not be made, which says nothing about locks.
const NO_ROOM = /^(?:ENOSPC|EDQUOT)\b/;

function cannotTry(typed: string, why: string): Exit {
  return new Exit(EXIT.cantCreate, `cannot try locks in ${printable(typed)}: ${why}`);
}

async function perform(what: string, look: () => Promise<Omit<Check, 'what'>>): Promise<Check> {
  const ended = new AbortController();
  const late = sleep(LIMIT_MILLISECONDS, ended.signal).then(() => {
    throw new Error(`no answer within ${LIMIT_MILLISECONDS / 1000} s`);
  });
  late.catch(() => {});
  try {
    return { what, ...(await Promise.race([look(), late])) };
  } catch (error) {
    return { what, ok: false, detail: printable((error as Error).message) };
  } finally {
    ended.abort();
  }
}

type Look = (folder: string, other: Peer, remote: boolean) => Promise<Omit<Check, 'what'>>;

/** All that the checks make in the folder. */
const FILES = [
  'same.lock',
  'other.lock',
  'count.lock',
  'count.lock.count',
  'handover.lock',
  'holder.lock',
  'killed.lock',
];

// Records need room on the disk; locks do not.
const NO_RECORD = { record: false } as const;

/** One after the other; each leaves nothing locked. */
const CHECKS: Record<string, Look> = {
  'a second lock of the same file is refused': async (folder) => {
    const path = join(folder, 'same.lock');
    const lock = FileLock.acquireSync(path, NO_RECORD);
    const second = FileLock.tryAcquire(path, NO_RECORD);
    second?.releaseSync();
    lock.releaseSync();
    return { ok: second === null, detail: second === null ? '' : 'both were granted' };
  },
  'another process is refused, and shares what is shared': async (folder, other) => {
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
  'two processes that contend lose nothing': async (folder, other) => {
    const path = join(folder, 'count.lock');
    writeFileSync(`${path}.count`, '');
    const [own, theirs] = await Promise.all([count(path), other.ask('count', path)]);
    const counted = statSync(`${path}.count`).size;
    const expected = own + Number(theirs);
    return { ok: counted === expected, detail: `${counted} of ${expected} rounds counted` };
  },
  'a lock that is released goes to the one that waits': async (folder, other) => {
    const path = join(folder, 'handover.lock');
    const lock = FileLock.acquireSync(path, NO_RECORD);
    if ((await other.waitFor(path)) === 'granted') {
      lock.releaseSync();
      return { ok: false, detail: 'it did not wait' };
    }
    const began = performance.now();
    lock.releaseSync();
    await other.granted();
    const took = performance.now() - began;
    await other.ask('release');
    return { ok: true, detail: `after ${took.toFixed(1)} ms` };
  },
  'who holds it can be seen': async (folder, other) => {
    const path = join(folder, 'holder.lock');
    await other.waitFor(path);
    const { state, holders } = await inspect(path);
    await other.ask('release');
    const seen = state === 'held' && holders.some(({ pid }) => pid === other.pid);
    return {
      ok: seen ? true : null,
      detail: seen ? '' : 'only from the record in the file: not from the system',
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
  'a lock whose holder is killed goes to the one that waits': async (folder, other) => {
    const path = join(folder, 'killed.lock');
    await other.waitFor(path);
    const early = FileLock.tryAcquire(path, NO_RECORD);
    early?.releaseSync();
    if (early !== null) return { ok: false, detail: 'it did not wait' };
    const waiting = FileLock.acquire(path, { ...NO_RECORD, timeout: LIMIT_MILLISECONDS });
    const began = performance.now();
    other.kill();
    const lock = await waiting;
    const took = performance.now() - began;
    lock.releaseSync();
    return { ok: true, detail: `after ${took.toFixed(1)} ms` };
  },
};

function promises(
  remote: boolean,
  works: boolean,
  checks: Check[],
): Pick<Diagnosis, 'promised' | 'notPromised'> {
  const missing = checks.filter(({ ok }) => ok === null).map(({ what }) => `not here: ${what}`);
  if (!works) {
    return { promised: [], notPromised: ['do not rely on locks in this folder', ...missing] };
  }
  const promised = [
    'one exclusive holder, among all programs on this machine that take the same lock',
    'the lock is free when its holder has ended, however it ended',
  ];
  const notPromised = ['programs that do not ask are not kept out', ...missing];
  const polls = 'a wait looks again every 50 ms, and the next one may be any of those that wait';
  if (!remote) {
    if (process.platform !== 'linux') notPromised.push(polls);
    else promised.push('a wait costs no CPU, and ends as soon as the lock is free');
    notPromised.push('other machines: this file system is of this one');
  } else {
    notPromised.push(
      'other machines: it depends on the server and the mount, and was tried on this one alone',
      polls,
      'after a lost connection the server may give the lock to somebody else',
      'a stolen lock (force: steal) and safe removal of lock files',
    );
  }
  return { promised, notPromised };
}

function report(diagnosis: Diagnosis, typed: string): string[] {
  const { fileSystem, remote, works, checks, promised, notPromised } = diagnosis;
  const mark = (ok: boolean | null): string => (ok === null ? '-' : ok ? 'ok' : 'FAILED');
  const rows = checks.map(({ what, ok, detail }) => [mark(ok), what, detail]);
  const list = (title: string, lines: string[]): string[] =>
    lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)];
  return [
    `${printable(typed)}: ${fileSystem}, ${remote ? 'a network or FUSE file system' : 'local'}`,
    ...tableLines(rows),
    ...list('promised here:', promised),
    ...list('not promised:', notPromised),
    works ? 'locks work here' : 'locks do NOT work here',
  ];
}

/** As the system calls it: `ext4`, `nfs4`. */
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
