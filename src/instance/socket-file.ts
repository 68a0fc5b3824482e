import { randomBytes } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  unlinkSync,
} from 'node:fs';
import { connect, type Server, type Socket } from 'node:net';
import { errnoOf } from '../base/errno.js';
import { LockStateError, LockUnsupportedError, systemError } from '../base/errors.js';
import { type FilePath, joinPath, parentOf, pathText } from '../base/paths.js';
import { PEER_PID, PEER_USER } from '../native/binding.js';
import { loadBinding, results } from '../native/load.js';

/** Missing in Node's constants; the same on every processor with an addon. */
const O_PATH = 0o10000000;
/** The longest path of a socket, in bytes: sun_path of the system, without its NUL. */
const LONGEST_PATH = process.platform === 'linux' ? 107 : 103;

/** Where the instance that holds the lock at `path` listens. */
export function socketPath(path: FilePath): FilePath {
  if (typeof path === 'string') return `${path}.sock`;
  return Buffer.from(`${path.toString('latin1')}.sock`, 'latin1');
}

/** Not derived from the lock file's name, which may already have the greatest length. */
export function temporaryName(): string {
  return `.holdfast-${process.pid}-${randomBytes(6).toString('hex')}.sock`;
}

/** Throws on systems without messages; `path` is the lock's path. */
export function checkMessagesWork(path: FilePath): void {
  if (process.platform !== 'win32') return;
  const message = `${pathText(path)} cannot receive messages: Windows is not supported`;
  throw new LockUnsupportedError(path, message);
}

/**
 * Calls `work` with a path to an entry of `folder` that fits into the address of
 * a socket. Node 20 silently truncates a longer one, and listens elsewhere.
 */
export async function withShortPath(
  folder: FilePath,
  name: string,
  work: (path: string) => Promise<void>,
): Promise<void> {
  if (!hasDescriptorPaths()) return work(checkLength(joinPath(folder, name)));
  const fd = openSync(folder, O_PATH | constants.O_DIRECTORY);
  try {
    await work(`/proc/self/fd/${fd}/${name}`);
  } finally {
    closeSync(fd);
  }
}

/** False where /proc is not mounted. */
function hasDescriptorPaths(): boolean {
  return process.platform === 'linux' && existsSync('/proc/self/fd');
}

function checkLength(path: FilePath): string {
  if (typeof path !== 'string') {
    const message = `${pathText(path)} cannot be the path of a socket: it is not UTF-8`;
    throw new LockUnsupportedError(path, message);
  }
  if (Buffer.byteLength(path) <= LONGEST_PATH) return path;
  throw systemError(errnoOf('ENAMETOOLONG'), 'connect', path);
}

/** Who is at the other end of a socket. */
export interface Peer {
  /** `null`: a process that this one cannot see, in another pid namespace. */
  pid: number | null;
  user: number;
}

/** Throws if the runtime or the system does not say. */
export function peerOf(socket: Socket, path: FilePath): Peer {
  const fd = descriptorOf(socket);
  if (fd < 0 && !socket.destroyed) throw cannotTell(path);
  const errno = loadBinding(path).peer(fd);
  if (errno !== 0) throw systemError(errno, 'getsockopt', path);
  return { pid: results[PEER_PID] || null, user: results[PEER_USER] as number };
}

/** Throws if a server's connections would not say who is at the other end. */
export function checkTellsPeers(server: Server, path: FilePath): void {
  if (descriptorOf(server) < 0) throw cannotTell(path);
}

function descriptorOf(socket: Socket | Server): number {
  const { _handle: handle } = socket as { _handle?: { fd?: unknown } | null };
  return typeof handle?.fd === 'number' ? handle.fd : -1;
}

function cannotTell(path: FilePath): LockUnsupportedError {
  const message = `no messages at ${pathText(path)}: this runtime cannot tell who is at the other end of a socket`;
  return new LockUnsupportedError(path, message);
}

/** Messages are exchanged only with processes of this user and of root. */
export function isTrusted(user: number): boolean {
  return user === 0 || user === process.geteuid?.();
}

/**
 * Connects to the socket at `path`. Rejects with the system's error, and with
 * `ERR_LOCK_STATE` if that is not a socket, or the socket of another user.
 */
export async function connectTo(path: FilePath, lockPath: FilePath): Promise<Socket> {
  if (!hasDescriptorPaths()) {
    checkSocket(lstatSync(path, { bigint: true }), path, lockPath);
    return connected(connect(checkLength(path)), path, lockPath);
  }
  // Checked and connected through one descriptor, it cannot be replaced in
  // between, and its name can be longer than an address.
  const fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
  try {
    checkSocket(fstatSync(fd, { bigint: true }), path, lockPath);
    return await connected(connect(`/proc/self/fd/${fd}`), path, lockPath);
  } finally {
    closeSync(fd);
  }
}

/** The listener ended after we had connected. */
export function isClosed(code: string | undefined): boolean {
  return code === 'ENOTCONN' || code === 'ECONNRESET' || code === 'EPIPE';
}

async function connected(socket: Socket, path: FilePath, lockPath: FilePath): Promise<Socket> {
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    const { user } = peerOf(socket, path);
    if (!isTrusted(user)) throw strangers(path, lockPath, user);
    return socket;
  } catch (error) {
    socket.destroy();
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EPROTOTYPE') throw otherThing(path, lockPath, 'a socket of another kind');
    if (code !== 'EACCES' && code !== 'EPERM') throw naming(path, error);
    const owner = lstatSync(path, { throwIfNoEntry: false })?.uid;
    throw owner === undefined ? error : strangers(path, lockPath, owner, error);
  }
}

/** Throws if that is not a socket, or the socket of another user. */
export function checkSocket(stats: BigIntStats, path: FilePath, lockPath: FilePath): void {
  if (!stats.isSocket()) throw otherThing(path, lockPath, 'not a socket');
  if (!isTrusted(Number(stats.uid))) throw strangers(path, lockPath, Number(stats.uid));
}

function otherThing(path: FilePath, lockPath: FilePath, what: string): LockStateError {
  const message = `${pathText(path)} is ${what}, so the instance that holds ${pathText(lockPath)} cannot receive messages; remove or rename it`;
  return new LockStateError(lockPath, message);
}

/** A system error with `path`, instead of the short path, which means nothing to people. */
export function naming(path: FilePath, error: unknown): unknown {
  const { errno, syscall } = error as NodeJS.ErrnoException;
  if (typeof errno !== 'number' || syscall === undefined) return error;
  return systemError(Math.abs(errno), syscall, path);
}

/** The error for a socket of another user. */
export function strangers(
  path: FilePath,
  lockPath: FilePath,
  user: number,
  cause?: unknown,
): LockStateError {
  const message = `${pathText(path)} belongs to uid ${user}, and this process to uid ${process.geteuid?.()}: messages go only between processes of one user`;
  return new LockStateError(lockPath, message, cause);
}

/**
 * Removes the socket at `path` if it is `own`. Comparing and then unlinking could
 * remove a successor's socket:
 *   1. We compare: the path leads to our socket.
 *   2. A process that steals the lock renames its socket onto the path.
 *   3. We unlink the path, and with it the successor's socket. So we rename it
 * first, and put it back if it is not ours.
 */
export function removeSocket(path: FilePath, own: BigIntStats): void {
  try {
    if (!isSame(lstatSync(path, { bigint: true }), own)) return;
    const aside = joinPath(parentOf(path), temporaryName());
    renameSync(path, aside);
    try {
      // Fails if there is a newer one by now.
      if (!isSame(lstatSync(aside, { bigint: true }), own)) linkSync(aside, path);
    } finally {
      unlinkSync(aside);
    }
  } catch {
    // It is gone, or it stays: nobody listens there, and the next instance
    // replaces it.
  }
}

function isSame(one: BigIntStats, other: BigIntStats): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}
