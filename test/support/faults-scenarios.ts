import type { constants } from 'node:os';

// Every system call that the core makes on the lock's files fails in turn, in
// a process that is traced during one operation. With HOLDFAST_TORTURE each
// call fails with every error of ERRNOS, else with the first few.
export const THOROUGH = (process.env['HOLDFAST_TORTURE'] ?? '') !== '';

export type Errno = keyof typeof constants.errno;

export const ERRNOS: Record<string, Errno[]> = {
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

// Other names of the same call.
export const ALIASES: Record<string, string> = {
  unlinkat: 'unlink',
  renameat: 'rename',
  renameat2: 'rename',
  mkdirat: 'mkdir',
  clone: 'clone3',
};

export interface Step {
  act: string;
  options?: object;
}

export interface Scenario {
  /** Steps before it, without a fault. */
  before?: Step[];
  act: string;
  options?: object;
  /** The name of the lock file. */
  file?: string;
  content?: 'held' | 'released' | 'crashed';
  /** The calls of the waiting thread fail. */
  thread?: boolean;
  /** A process that has never had a lock. */
  fresh?: boolean;
  /** Its record may stay: the call that removes it failed. */
  leaves?: boolean;
  /** After an error the lock is still held, except after a failed flock. */
  keeps?: boolean;
  /** After an error the descriptor is the caller's, and locked. */
  keepsDescriptor?: boolean;
  /**
   * Each call on the lock's files, in order, as `name:outcome`. The outcome is
   * the `syscall` of the error when the call fails; `ok`: no error; `disk`: no
   * error for those of DISK, else `write`; `a|b`: one or the other; empty: the
   * call cannot fail.
   */
  calls: string;
}

const OPEN = 'openat:open|ok statx:open';
const READ = 'pread64:read';
const WARM = { act: 'warmThread' };
const CLEAR = 'pwrite64:write ftruncate:write';

// It reads first, and removes only its own record.
const TAKE_OUT = `pread64:write ${CLEAR}`;

// A record that the caller did not ask for by name.
const CLEAR_IF_POSSIBLE = 'pwrite64:disk ftruncate:disk';

const GUARD = (step: string): string =>
  `openat:${step} statx:${step} fcntl:${step}|ok statx:ok statx:${step}|ok`;

// A record needs the guard on the file itself, not the one beside it.
const RECORD_GUARD = (step: string): string =>
  `openat:${step} statx:${step} fcntl:${step}|ok statx:${step}|ok`;

const REFUSED = `${OPEN} flock:flock flock:flock close:ok`;

// The last closes an O_PATH descriptor, which cannot fail.
const LOOK = 'openat:ok read:ok read:ok close:ok openat:ok close:';

// A theft looks up the holder twice; another holder the second time is a refusal.
const LOOK_TWICE = 'openat:ok|held read:ok|held read:ok|held close:ok|held openat:ok|held close:';

export const SCENARIOS: Record<string, Scenario> = {
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

// With these errors the lock is held, without a record.
export const DISK: Errno[] = ['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EROFS'];
