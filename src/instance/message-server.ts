import { type BigIntStats, chmodSync, lstatSync, renameSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { clearTimeout, setTimeout } from 'node:timers';
import { LockLostError } from '../base/errors.js';
import { type FilePath, joinPath, parentOf, pathText } from '../base/paths.js';
import { type FileLock, internalsOf } from '../lock/file-lock.js';
import { checkReplaceable } from './check-replaceable.js';
import { answerLine, errorLine, LineReader, parseLine } from './message-line.js';
import type { MessageContext, OnMessage } from './options.js';
import {
  checkTellsPeers,
  isTrusted,
  naming,
  type Peer,
  peerOf,
  removeSocket,
  socketPath,
  strangers,
  temporaryName,
  withShortPath,
} from './socket-file.js';

// A sender writes its line as soon as it is connected.
const READ_MILLISECONDS = 10_000;
/** How long a release waits for handlers: as long as a sender does by default. */
const HANDLERS_MILLISECONDS = 5000;
// The kernel lowers it to net.core.somaxconn. Above the limit, connecting fails,
// and senders try again.
const BACKLOG = 4096;

/**
 * Receives messages for the instance that holds `lock`, at a socket beside the
 * lock file. It does not keep the process alive, but a message that has been
 * received does, until it is answered.
 */
export class MessageServer {
  readonly #lock: FileLock<object>;
  readonly #path: FilePath;
  readonly #onMessage: OnMessage;
  readonly #server: Server;
  /** Connections that have not sent a whole line yet. */
  readonly #reading = new Set<Socket>();
  readonly #handling = new Set<Socket>();
  /** Called when no message is being handled. */
  #idle = (): void => {};
  #own: BigIntStats | null = null;
  #closed: Promise<void> | undefined;
  #isClosed = false;

  private constructor(lock: FileLock<object>, onMessage: OnMessage) {
    this.#lock = lock;
    this.#path = socketPath(internalsOf(lock).file);
    this.#onMessage = onMessage;
    this.#server = createServer((socket) => this.#accept(socket));
    // Without descriptors or memory left, one connection fails, and its sender
    // tries again.
    this.#server.on('error', () => {});
    this.#server.unref();
  }

  static async listen(lock: FileLock<object>, onMessage: OnMessage): Promise<MessageServer> {
    const server = new MessageServer(lock, onMessage);
    try {
      await server.#listen();
      return server;
    } catch (error) {
      server.closeSync();
      throw error;
    }
  }

  /**
   * Runs under the lock. The socket gets its final name last, by a rename, which
   * replaces what a crash has left. Without that, closing a server unlinks the
   * path that it was given, even if another server listens there by then:
   *   1. We listen at PATH.sock, and lose the lock to a process that steals it.
   *   2. That process replaces PATH.sock with its own socket.
   *   3. We close, and libuv unlinks PATH.sock: nobody can reach the new one.
   * So libuv knows only a temporary name, which is gone by then.
   */
  async #listen(): Promise<void> {
    const { file } = internalsOf(this.#lock);
    await checkReplaceable(this.#path, this.#lock);
    const name = temporaryName();
    const server = this.#server;
    const folder = parentOf(file);
    await withShortPath(folder, name, async (path) => {
      const listening = new Promise<void>((resolve, reject) => {
        server.once('listening', resolve);
        server.once('error', reject);
      });
      // Exclusive: in a worker of a cluster, the primary would listen instead,
      // and resolve /proc/self/fd/N among its own descriptors.
      server.listen({ path, exclusive: true, backlog: BACKLOG });
      await listening;
    }).catch((error: unknown) => {
      throw naming(this.#path, error);
    });
    const temporary = joinPath(folder, name);
    try {
      checkTellsPeers(server, this.#path);
      chmodSync(temporary, 0o600);
      this.#own = lstatSync(temporary, { bigint: true });
      this.#publish(temporary);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  }

  #publish(temporary: FilePath): void {
    if (!this.#isFirst()) {
      const { file } = internalsOf(this.#lock);
      throw new LockLostError(file, `${pathText(file)} is no longer the file that is locked`);
    }
    try {
      renameSync(temporary, this.#path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const owner = lstatSync(this.#path, { throwIfNoEntry: false })?.uid;
      // In a folder with the sticky bit.
      const isForbidden = code === 'EPERM' || code === 'EACCES';
      if (!isForbidden || owner === undefined) throw error;
      throw strangers(this.#path, internalsOf(this.#lock).file, owner, error);
    }
  }

  #accept(socket: Socket): void {
    socket.on('error', () => {});
    let peer: Peer;
    try {
      peer = peerOf(socket, this.#path);
    } catch {
      // It has gone already.
      socket.destroy();
      return;
    }
    if (this.#isClosed || !isTrusted(peer.user)) {
      socket.destroy();
      return;
    }
    // A connection that sends nothing must not keep the process alive.
    socket.unref();
    this.#reading.add(socket);
    const timer = setTimeout(() => socket.destroy(), READ_MILLISECONDS).unref();
    const reader = new LineReader();
    const receive = (chunk: Buffer): void => {
      const line = reader.add(chunk);
      if (line === undefined) return;
      clearTimeout(timer);
      this.#reading.delete(socket);
      socket.off('data', receive);
      // Still flowing: otherwise the end of the sender would not be noticed.
      socket.resume();
      this.#receive(socket, line, peer);
    };
    socket.on('data', receive);
    socket.once('close', () => {
      clearTimeout(timer);
      this.#reading.delete(socket);
    });
  }

  /** `line`: `null` if it is too long. */
  #receive(socket: Socket, line: string | null, peer: Peer): void {
    // After a steal, the message is for the new first instance: a sender that is
    // closed without an answer goes there.
    if (!this.#isFirst()) {
      socket.destroy();
      return;
    }
    // Before `onMessage` runs, which may call release(), which waits for this.
    this.#handling.add(socket);
    const parsed = line === null ? null : parseLine(line);
    const answered =
      parsed !== null && Object.hasOwn(parsed, 'message')
        ? this.#handle(socket, parsed['message'], peer)
        : respond(socket, errorLine(new TypeError('not a message, or one that is too long')));
    void answered.finally(() => {
      this.#handling.delete(socket);
      if (this.#handling.size === 0) this.#idle();
    });
  }

  #isFirst(): boolean {
    try {
      return this.#lock.isCurrent();
    } catch {
      return false;
    }
  }

  async #handle(socket: Socket, message: unknown, { pid }: Peer): Promise<void> {
    const controller = new AbortController();
    const abort = (): void => controller.abort(new Error('the sender no longer waits'));
    socket.once('close', abort);
    socket.ref();
    let reply: string;
    try {
      const context: MessageContext = { pid, signal: controller.signal };
      reply = answerLine(await this.#onMessage(message, context));
    } catch (error) {
      // Without an answer, the sender would send it again.
      reply = errorLine(error);
    }
    socket.off('close', abort);
    await respond(socket, reply);
  }

  /**
   * Stops listening. Senders that have not sent a whole message are closed
   * without an answer, and send it to the next instance. Handlers continue, and
   * answer. Call it while the lock is still held.
   */
  closeSync(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#own !== null && this.#isFirst()) removeSocket(this.#path, this.#own);
    this.#server.close();
    for (const socket of this.#reading) socket.destroy();
  }

  /** The same, and waits for the handlers, at most {@link HANDLERS_MILLISECONDS}. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.closeSync();
    if (this.#handling.size === 0) return;
    await new Promise<void>((resolve) => {
      const late = setTimeout(resolve, HANDLERS_MILLISECONDS);
      this.#idle = () => {
        clearTimeout(late);
        resolve();
      };
    });
    for (const socket of this.#handling) socket.destroy();
  }
}

/** Resolves once the line was sent, or cannot be sent. */
function respond(socket: Socket, line: string): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve();
    // A sender that is stopped does not read.
    const timer = setTimeout(() => socket.destroy(), READ_MILLISECONDS).unref();
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    socket.end(line, () => socket.destroy());
  });
}
