import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, vi } from 'vitest';
import { FileLock } from '../../src/index.js';
import { type Answer, betweenMarks, type Call, Victim } from '../support/faults-victim.js';
import { lockPath, testFolder } from '../support/folder.js';
import { runScript } from '../support/script.js';
import { needs } from '../support/tools.js';

// Every system call that the core makes on the lock's files fails in turn, in
// a process that is traced for the time of one operation. A full run takes
// every error of ERRNOS; the usual one the first few of each.
const THOROUGH = (process.env['HOLDFAST_TORTURE'] ?? '') !== '';
const FEW = THOROUGH ? Number.POSITIVE_INFINITY : 3;
const LOOKS = THOROUGH ? Number.POSITIVE_INFINITY : 12;
const TRIES = 6;
const IDLE_THREADS = 4;
// Hundreds of calls that fail in turn, each traced.
vi.setConfig({ testTimeout: THOROUGH ? 300_000 : 120_000 });

type Errno = keyof typeof constants.errno;

const ERRNOS: Record<string, Errno[]> = {
  openat: ['EMFILE', 'EIO', 'EINTR', 'ENFILE', 'ENOSPC', 'EACCES', 'EDQUOT', 'ENOMEM', 'ESTALE'],
  statx: ['EIO', 'EINTR', 'ESTALE', 'ENOMEM', 'EACCES'],
  fstatfs: ['EIO', 'ENOSYS', 'EINTR'],
  flock: ['EIO', 'ENOLCK', 'EINTR', 'ENOSYS', 'EOPNOTSUPP'],
  pread64: ['EIO', 'EINTR', 'ESTALE', 'ENOMEM'],
  read: ['EIO', 'EINTR', 'ESTALE', 'ENOMEM'],
  pwrite64: ['ENOSPC', 'EIO', 'EINTR', 'EDQUOT', 'EFBIG', 'ESTALE'],
  ftruncate: ['EIO', 'EINTR', 'ENOSPC', 'EPERM'],
  fcntl: ['ENOLCK', 'EIO', 'EAGAIN', 'ENOMEM', 'EACCES'],
  close: ['EIO', 'EINTR', 'ENOSPC', 'EDQUOT'],
  unlink: ['EIO', 'EACCES', 'EPERM', 'EBUSY', 'EROFS'],
  rename: ['EIO', 'ENOSPC', 'EACCES', 'EDQUOT', 'EROFS'],
  mkdir: ['EACCES', 'ENOSPC', 'EROFS', 'EIO', 'EDQUOT'],
  clone3: ['EAGAIN', 'ENOMEM', 'ENOSYS', 'EPERM'],
  clone: ['EAGAIN', 'ENOMEM', 'EPERM'],
  mmap: ['ENOMEM', 'EAGAIN'],
};

// Where the same thing is called otherwise.
const ALIASES: Record<string, string> = {
  unlinkat: 'unlink',
  renameat: 'rename',
  renameat2: 'rename',
  mkdirat: 'mkdir',
  clone: 'clone3',
};

interface Step {
  act: string;
  options?: object;
}

interface Scenario {
  /** What comes before, without a fault. */
  before?: Step[];
  act: string;
  options?: object;
  /** Of the lock file. */
  file?: string;
  content?: 'held' | 'released' | 'crashed';
  /** The calls that fail are those of the waiting thread. */
  thread?: boolean;
  /** A process that has never had a lock. */
  fresh?: boolean;
  /** That its record stays behind is no fault: the one who was to take it out failed. */
  leaves?: boolean;
  /** After an error: is the lock held? `true`: but for a failed flock. */
  keeps?: boolean;
  /** After an error the descriptor is the caller's, and locked. */
  keepsDescriptor?: boolean;
  /**
   * Each call on the lock's files, in order, and what it is in the error when it
   * fails; `ok`: nothing comes of it; `disk`: nothing, or `write`, as DISK says.
   * `|`: one or the other; nothing: it cannot.
   */
  calls: string;
}

const OPEN = 'openat:open|ok statx:open';
const READ = 'pread64:read';
const WARM = { act: 'warmThread' };
const CLEAR = 'pwrite64:write ftruncate:write';
// Only what is still its own is taken out.
const TAKE_OUT = `pread64:write ${CLEAR}`;
// A record that nobody asked for by name.
const CLEAR_IF_POSSIBLE = 'pwrite64:disk ftruncate:disk';
const GUARD = (step: string): string =>
  `openat:${step} statx:${step} fcntl:${step}|ok statx:ok statx:${step}|ok`;
// The record is not handed over under the guard beside.
const RECORD_GUARD = (step: string): string =>
  `openat:${step} statx:${step} fcntl:${step}|ok statx:${step}|ok`;
const REFUSED = `${OPEN} flock:flock flock:flock close:ok`;
// The last is of an O_PATH descriptor, which cannot fail.
const LOOK = 'openat:ok read:ok read:ok close:ok openat:ok close:';
// Of one who is to be robbed: somebody else than was asked about is a refusal.
const LOOK_TWICE = 'openat:ok|held read:ok|held read:ok|held close:ok|held openat:ok|held close:';

const SCENARIOS: Record<string, Scenario> = {
  'acquireSync of a new file': {
    act: 'acquireSync',
    calls: `${OPEN} flock:flock statx:stat pwrite64:disk statx:stat`,
  },
  'acquireSync after a release': {
    act: 'acquireSync',
    content: 'released',
    calls: `${OPEN} flock:flock statx:stat ${READ} pwrite64:disk statx:stat`,
  },
  'acquireSync after a crash': {
    act: 'acquireSync',
    content: 'crashed',
    calls: `${OPEN} flock:flock statx:stat ${READ} ${CLEAR_IF_POSSIBLE} statx:stat`,
  },
  'acquireSync in missing folders': {
    act: 'acquireSync',
    file: 'some/folder/a.lock',
    calls: `openat:open mkdir:mkdir|ok mkdir:mkdir|ok mkdir:mkdir|ok ${OPEN} flock:flock statx:stat pwrite64:disk statx:stat`,
  },
  'acquireSync with a pid as record': {
    act: 'acquireSync',
    options: { record: 'pid' },
    calls: `${OPEN} flock:flock statx:stat pwrite64:write statx:stat`,
  },
  'acquireSync without a record': {
    act: 'acquireSync',
    options: { record: false },
    calls: `${OPEN} flock:flock statx:stat`,
  },
  'tryAcquire of a shared lock': {
    act: 'tryAcquire',
    options: { mode: 'shared' },
    content: 'released',
    calls: `${OPEN} flock:flock statx:stat ${READ}`,
  },
  'acquire of a free lock': {
    act: 'acquire',
    content: 'released',
    calls: `${OPEN} flock:flock statx:stat ${READ} pwrite64:disk statx:stat`,
  },
  'acquire that waits': {
    before: [WARM],
    act: 'wait',
    content: 'held',
    calls: `${OPEN} flock:flock statx:stat ${READ} pwrite64:disk statx:stat`,
  },
  'acquire that waits, in its thread': {
    before: [WARM],
    act: 'wait',
    content: 'held',
    thread: true,
    calls: 'flock:flock',
  },
  'acquire that times out, in its thread': {
    before: [WARM],
    act: 'wait',
    options: { timeout: 30 },
    content: 'held',
    thread: true,
    calls: 'flock:flock flock:ok close:ok',
  },
  'the first acquire of a process, waiting': {
    act: 'wait',
    content: 'held',
    fresh: true,
    calls: `${OPEN} fstatfs:ok flock:flock mmap:ok clone3:ok statx:stat ${READ} pwrite64:disk statx:stat`,
  },
  'acquireSync that waits': {
    before: [WARM],
    act: 'waitSync',
    options: { timeout: 5000 },
    content: 'held',
    calls: `${OPEN} flock:flock statx:stat ${READ} pwrite64:disk statx:stat`,
  },
  'acquireSync that is refused': {
    act: 'acquireSync',
    content: 'held',
    calls: `${REFUSED} ${LOOK}`,
  },
  'tryAcquire that is refused': {
    act: 'tryAcquire',
    content: 'held',
    calls: REFUSED,
  },
  release: {
    before: [{ act: 'acquireSync' }],
    act: 'release',
    leaves: true,
    calls: `${TAKE_OUT} flock:flock close:close`,
  },
  'release of a shared lock': {
    before: [{ act: 'acquireSync', options: { mode: 'shared' } }],
    act: 'release',
    calls: 'flock:flock close:close',
  },
  'release that removes the file': {
    before: [{ act: 'acquireSync', options: { keepFile: false } }],
    act: 'release',
    leaves: true,
    calls: `${TAKE_OUT} ${GUARD('unlink')} unlink:unlink close:ok flock:flock close:close`,
  },
  'release of a shared lock that removes the file': {
    before: [{ act: 'acquireSync', options: { mode: 'shared', keepFile: false } }],
    act: 'release',
    calls: `pread64:write flock:ok ${GUARD('unlink')} unlink:unlink close:ok flock:flock close:close`,
  },
  update: {
    before: [{ act: 'acquireSync' }],
    act: 'update',
    options: { port: 1 },
    keeps: true,
    calls: `statx:stat statx:stat ${READ} pwrite64:write`,
  },
  'update to something shorter': {
    before: [{ act: 'acquireSync', options: { data: { port: 123456789 } } }],
    act: 'update',
    options: { port: 1 },
    keeps: true,
    calls: `statx:stat statx:stat ${READ} ${CLEAR}`,
  },
  isCurrent: {
    before: [{ act: 'acquireSync' }],
    act: 'isCurrent',
    keeps: true,
    calls: 'statx:stat',
  },
  downgrade: {
    before: [{ act: 'acquireSync' }],
    act: 'downgrade',
    keeps: true,
    calls: `pread64:disk ${CLEAR_IF_POSSIBLE} flock:flock`,
  },
  tryUpgrade: {
    before: [{ act: 'acquireSync', options: { mode: 'shared' } }],
    act: 'tryUpgrade',
    calls: 'flock:flock statx:stat statx:stat pwrite64:disk statx:stat',
  },
  detach: {
    before: [{ act: 'acquireSync' }],
    act: 'detach',
    leaves: true,
    calls: `${RECORD_GUARD('ok')} pread64:ok pwrite64:ok ftruncate:ok close:ok close:ok`,
  },
  adopt: {
    before: [{ act: 'inherit' }],
    act: 'adopt',
    keepsDescriptor: true,
    calls: `fcntl:fcntl statx:fcntl fcntl:fcntl statx:stat ${RECORD_GUARD('disk')} pwrite64:disk close:ok`,
  },
  'InstanceLock.acquire': {
    act: 'instance',
    calls: `${OPEN} flock:flock statx:stat pwrite64:write statx:stat`,
  },
  'InstanceLock.acquire that steals': {
    act: 'instance',
    options: { force: { how: 'steal' } },
    content: 'held',
    calls: [
      `${REFUSED} ${LOOK_TWICE} ${REFUSED}`,
      // The old file, and who holds it.
      `${OPEN} ${LOOK_TWICE} statx:stat ${READ}`,
      // The new one.
      'openat:rename|write flock:rename|write|UNSUPPORTED pwrite64:rename|write statx:rename|write',
      `${GUARD('rename|write|UNSUPPORTED')} rename:rename|write close:ok`,
      // The path is the thief's by now: what the old file says last is no reason to fail.
      `${READ.replaceAll(/:[^ ]*/g, ':ok')} statx:ok pwrite64:write statx:stat|held close:ok`,
    ].join(' '),
  },
};

// Without the record, the lock is held.
const DISK: Errno[] = ['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EROFS'];

interface Run {
  answer: Answer;
  /** Between the marks, on this lock's files. */
  calls: Call[];
  /** What it asked /proc meanwhile. */
  looks: Call[];
  injected: Call[];
  free: boolean;
  ended: Answer;
  previous: number | undefined;
  files: string[];
}

const outcomeOf = ({ value, error }: Answer): unknown => error?.code ?? value ?? null;

/** Whatever comes from a fault, the next one is to find it usable. */
class Stage {
  readonly #root = testFolder();
  readonly #scenario: Scenario;
  #victim: Victim | null = null;
  #runs = 0;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
  }

  get path(): string {
    return join(this.#root, `${this.#runs}`, this.#scenario.file ?? 'a.lock');
  }

  get pid(): number {
    return this.#victim?.pid ?? 0;
  }

  async anew(): Promise<void> {
    await this.#victim?.end();
    this.#victim = null;
  }

  async #ready(): Promise<Victim> {
    if (this.#victim !== null) return this.#victim;
    const victim = await Victim.start();
    this.#victim = victim;
    if (this.#scenario.fresh === true) return victim;
    // What is found out once: who we are, and the kind of file system.
    const path = join(this.#root, 'first.lock');
    await victim.ask('prepare', { act: 'acquireSync', path });
    await victim.ask('finish', { act: 'none', path });
    return victim;
  }

  async run(fault: string | null): Promise<Run> {
    const { before = [], act, options, content, thread } = this.#scenario;
    const victim = await this.#ready();
    this.#runs++;
    const folder = join(this.#root, `${this.#runs}`);
    mkdirSync(folder);
    const { path } = this;
    const holder = content === 'held' ? FileLock.acquireSync(path) : null;
    onTestFinished(() => holder?.releaseSync());
    if (content === 'released') FileLock.acquireSync(path).releaseSync();
    if (content === 'crashed') writeFileSync(path, CRASHED);
    let waiter: string | undefined;
    for (const step of before) {
      const warm = step.act === 'warmThread';
      const ready = await victim.ask('prepare', {
        ...step,
        path: warm ? join(this.#root, 'warm.lock') : path,
      });
      expect(ready.error).toBeUndefined();
      waiter = ready.waiter;
    }
    const traced = thread === true ? Number(waiter) : victim.pid;
    let answer: unknown;
    const all = await victim.traced(traced, join(this.#root, 'trace'), fault, async () => {
      victim.tell('act', { act, path, options });
      answer = await victim.says();
      if (answer !== 'started') return;
      // Of one that times out it is released afterwards.
      if (thread !== true || !('timeout' in (options ?? {}))) holder?.releaseSync();
      answer = await victim.says();
    });
    holder?.releaseSync();
    const between = thread === true ? all : betweenMarks(all);
    const calls = between.filter(
      ({ name, line }) => line.includes(folder) || /^clone3?$/.test(name) || /MAP_STACK/.test(line),
    );
    // Another process than the one that is asked.
    const probe = FileLock.tryAcquire(path, { mode: 'exclusive', record: false });
    probe?.releaseSync();
    const ended = await victim.ask('finish', { act: 'none', path });
    const next = FileLock.tryAcquire(path, { record: 'json', keepFile: false });
    const previous = next?.previous?.pid;
    next?.releaseSync();
    return {
      answer: answer as Answer,
      calls,
      looks: between.filter(isProc),
      injected: between.filter(({ line }) => line.includes('(INJECTED)')),
      free: probe !== null,
      ended,
      previous: next === null ? -1 : previous,
      files: readdirSync(folder),
    };
  }

  /**
   * Until the fault is where it was meant to be: at the call that `find` gives of
   * a run without one. How many come before it depends on the runtime, and on
   * how much there was to read.
   */
  async runWith(calm: Run, errno: Errno, find: (run: Run) => Call | undefined): Promise<Run> {
    let call = find(calm);
    const name = call?.name;
    for (let tries = 1; ; tries++) {
      const fault = `${name}:error=${errno}:when=${call?.nth}`;
      const run = await this.run(fault).catch((error: unknown) => {
        // It hit a call of the runtime's own, which ends the process: an
        // allocation of V8's, instead of a stack; the close that follows a read
        // of /proc, where Node 24 asserts that it succeeds; libuv's read of what
        // wakes it.
        const own = ['mmap', 'close', 'read'].includes(name ?? '');
        if (!own || tries >= TRIES) throw error;
        return null;
      });
      const [hit, another] = run?.injected ?? [];
      if (run !== null && hit !== undefined && another === undefined) {
        const oneOfMany = call !== undefined && isProc(call) && isProc(hit);
        if (oneOfMany || find(run)?.line === hit.line) return run;
      }
      if (tries >= TRIES) throw new NotReached(`${fault} did not come about`);
      await this.anew();
      if (this.#scenario.fresh !== true) call = find(await this.run(null)) ?? call;
    }
  }
}

class NotReached extends Error {}

const isNoClose = ({ name }: Call): boolean => name !== 'close';

function isProc({ line }: Call): boolean {
  return line.includes('"/proc/') || line.includes('</proc/');
}

const CRASHED = `${JSON.stringify({
  pid: 1,
  startedAt: '2026-02-25T10:30:00.000Z',
  long: 'x'.repeat(300),
  holdfast: { hostname: 'elsewhere', start: '1@1', boot: 'b', token: 5 },
})}\n`;

/** What a fault may come to: `ok`, or what the documented error is about. */
function check(run: Run, calm: Run, errno: Errno, allowed: string[], path: string): void {
  const { error, value } = run.answer;
  // What `isCurrent` says of a file handle that the server does not know any more.
  if (errno === 'ESTALE' && value === false) return;
  if (error === undefined || outcomeOf(run.answer) === outcomeOf(calm.answer)) {
    expect(['ok', 'EINTR', 'ESTALE']).toContain(allowed.includes('ok') ? 'ok' : errno);
    expect(outcomeOf(run.answer)).toEqual(outcomeOf(calm.answer));
    return;
  }
  if (error.code.startsWith('ERR_LOCK')) {
    expect(error.path).toBe(path);
    if (error.code === 'ERR_LOCK_UNSUPPORTED') {
      expect(allowed.includes('flock') || allowed.includes('UNSUPPORTED')).toBe(true);
      expect([errno, 'ENOTSUP']).toContain(error.cause);
    } else if (error.code === 'ERR_LOCK_HELD') {
      expect(allowed).toContain('held');
    } else {
      expect([error.code, errno]).toEqual(['ERR_LOCK_LOST', 'ESTALE']);
    }
    return;
  }
  const code = errno === 'EOPNOTSUPP' ? 'ENOTSUP' : errno;
  expect(error).toMatchObject({ code, errno: -constants.errno[errno] });
  expect(allowed).toContain(error.syscall);
  // Of a folder that cannot be made, the folder's.
  expect(error.syscall === 'mkdir' ? path.startsWith(error.path ?? '-') : error.path === path).toBe(
    true,
  );
}

describe('each system call fails in turn:', () => {
  for (const [title, scenario] of Object.entries(SCENARIOS)) {
    needs('strace')(title, async () => {
      const stage = new Stage(scenario);
      const calm = await stage.run(null);
      const expected = scenario.calls.split(' ').map((each) => {
        const [name = '', allowed = ''] = each.split(':');
        return { name, allowed: allowed.split('|') };
      });
      const names = calm.calls.map(({ name }) => ALIASES[name] ?? name);
      expect(names).toEqual(expected.map(({ name }) => name));
      expect(calm.ended).toMatchObject({ held: false, fd: -1, descriptors: 0 });
      const unexpected: unknown[] = [];
      let count = 0;
      for (const [at, call] of calm.calls.entries()) {
        const { name, allowed } = expected[at] as { name: string; allowed: string[] };
        const errnos = allowed[0] === '' ? [] : (ERRNOS[name] ?? []);
        for (const errno of errnos.slice(0, FEW)) {
          // Of strace's: a call that it lets fail is not made.
          const unclosed = name === 'close';
          if (scenario.fresh === true) await stage.anew();
          const run = await stage.runWith(calm, errno, ({ calls }) => calls[at]);
          count++;
          const where = `${call.name}#${call.nth} ${errno}`;
          try {
            const disk = DISK.includes(errno) ? 'ok' : 'write';
            const here = allowed.map((each) => (each === 'disk' ? disk : each));
            check(run, calm, errno, here, stage.path);
            const { answer, ended } = run;
            const failed = outcomeOf(answer) !== outcomeOf(calm.answer);
            const kept = scenario.keeps === true && name !== 'flock';
            const held = failed ? kept : calm.answer.held;
            expect({ held: answer.held, open: answer.fd >= 0 }).toEqual({ held, open: held });
            const locked = held || (failed && scenario.keepsDescriptor === true);
            if (!unclosed) expect(run.free).toBe(!locked);
            expect(ended.error).toBeUndefined();
            expect(ended).toMatchObject({ held: false, fd: -1, descriptors: unclosed ? 1 : 0 });
            // Some are idle, where the calm one ended by being cancelled; of
            // those that are lost there would be one more each time.
            expect(ended.threads).toBeLessThanOrEqual(calm.ended.threads + IDLE_THREADS);
            if (!unclosed) {
              // Nothing beside the lock file, and that in order.
              expect(run.files).toEqual(calm.files);
              expect(run.previous).not.toBe(-1);
              if (scenario.leaves !== true) expect([undefined, 1]).toContain(run.previous);
            }
          } catch (error) {
            unexpected.push({ where, answer: run.answer, why: (error as Error).message });
          }
          if (unclosed) await stage.anew();
        }
      }
      expect(unexpected).toEqual([]);
      expect(count).toBeGreaterThan(0);
    });
  }
});

/** What of /proc cannot be read decides nothing: it is for messages. */
const LOOKED = {
  'acquireSync that is refused': ['ERR_LOCK_HELD'],
  'the first acquire of a process, waiting': ['lock'],
  // Without a sight of the descriptor's lock there is none to adopt.
  adopt: ['lock', 'ERR_LOCK_STATE'],
  // Nobody is robbed who was not seen.
  'InstanceLock.acquire that steals': ['lock', 'ERR_LOCK_HELD'],
} as const;

describe('after a fault', () => {
  const failing = (path: string, fault: string): string[] => {
    return ['strace', '-f', '-qq', '-o', '/dev/null', '-P', path, '-e', `inject=${fault}`];
  };

  needs('strace')('of downgrade the record still goes with the lock', async () => {
    const path = lockPath();
    const script = `
      const lock = FileLock.acquireSync(path, JSON.parse(args[0]));
      report(await outcome(() => lock.downgrade()));
      report([lock.held, lock.mode]);
      report(await outcome(() => lock.releaseSync()));
      report(FileLock.acquireSync(path).previous);
    `;
    const error = { code: 'EIO', syscall: 'write', path };
    for (const [options, answer, mode] of [
      [{ record: 'json' }, error, 'exclusive'],
      [{}, {}, 'shared'],
    ] as const) {
      const { reports, stderr } = await runScript(path, script, {
        wrap: failing(path, 'pwrite64:error=EIO:when=2'),
        args: [JSON.stringify(options)],
      });
      expect(reports).toMatchObject([answer, [true, mode], {}, null]);
      expect(reports[0].code).toBe((answer as typeof error).code);
      expect(stderr.includes('HOLDFAST_NO_RECORD')).toBe(mode === 'shared');
    }
  });

  needs('strace')(
    'of the old file, which is gone from the path, a theft is one all the same',
    async () => {
      const path = lockPath();
      using _lock = FileLock.acquireSync(path);
      const script = `
      const { InstanceLock } = await import(new URL('instance.js', process.env.HOLDFAST_TEST_ENTRY));
      const lock = await InstanceLock.acquire(path, { force: { how: 'steal' } });
      report([lock.held, lock.isCurrent()]);
      lock.releaseSync();
      report(FileLock.acquireSync(path).previous);
    `;
      // The first to read the old file once another is in its place.
      const { reports } = await runScript(path, script, {
        wrap: failing(path, 'pread64:error=EIO:when=2'),
      });
      expect(reports).toMatchObject([[true, true], null]);
    },
  );

  needs('strace')('a file that a hand removed just before its holder did is no error', async () => {
    const path = lockPath();
    const script = `
      const lock = FileLock.acquireSync(path, { keepFile: false });
      report(await outcome(() => lock.releaseSync()));
      report(FileLock.acquireSync(path).held);
    `;
    const { reports } = await runScript(path, script, {
      wrap: failing(path, '?unlink,?unlinkat:error=ENOENT:when=1'),
    });
    expect(reports[0]).not.toHaveProperty('code');
    expect(reports[1]).toBe(true);
  });
});

describe('what it asks /proc fails in turn:', () => {
  for (const [title, outcomes] of Object.entries(LOOKED)) {
    needs('strace')(title, async () => {
      const scenario = SCENARIOS[title] as Scenario;
      const stage = new Stage(scenario);
      const calm = await stage.run(null);
      const looks = calm.looks.filter(isNoClose);
      expect(looks.length).toBeGreaterThan(0);
      const every = Math.max(1, Math.ceil(looks.length / LOOKS));
      let reached = 0;
      for (const at of looks.keys()) {
        if (at % every > 0) continue;
        const errno = (['EIO', 'EMFILE', 'ENOMEM'] as const)[at % 3] as Errno;
        if (scenario.fresh === true) await stage.anew();
        // How much there is to read depends on what else runs on the machine.
        const find = ({ looks }: Run): Call | undefined => looks.filter(isNoClose)[at];
        const run = await stage.runWith(calm, errno, find).catch((error: unknown) => {
          if (!(error instanceof NotReached)) throw error;
          return null;
        });
        if (run === null) continue;
        reached++;
        const { answer, ended, free, files } = run;
        expect(outcomes).toContain(outcomeOf(answer));
        const locked = answer.held || (title === 'adopt' && answer.error !== undefined);
        expect(free).toBe(!locked);
        expect(ended).toMatchObject({ held: false, fd: -1, descriptors: 0 });
        expect(files).toEqual(calm.files);
      }
      expect(reached).toBeGreaterThan(looks.length / every / 2);
    });
  }
});
