import { LockLostError, LockStateError } from '../../base/errors.js';
import type { HeldLock } from '../../base/locker.js';
import { owns, unlock, type Want } from './grants.js';
import type { Hold, Session } from './session.js';

/** A lock that a session of the server holds. */
export interface PostgresLock extends HeldLock {
  /** The name that it was acquired by. */
  readonly name: string;
  /** When it was granted, by the clock of this machine. */
  readonly since: Date;
  /**
   * From the sequence `holdfast.token`, which all locks of a database share:
   * larger than that of every earlier grant of the name.
   */
  readonly token: number;
  /**
   * Aborted with a `LockLostError` when the session has ended, or is silent for
   * a third of `loss`. Not promised: that it is aborted before the next holder
   * is granted, where the server itself has ended the session.
   */
  readonly signal: AbortSignal;
  /**
   * The descriptor of the session's socket, -1 where there is none (Windows, or
   * lost). The lock lives as long as any process has it open. A process that
   * has it can also write into the session. Never hand it down at a low number.
   */
  readonly fd: number;
  /**
   * True while it is held and the server was heard within `loss`. Costs nothing.
   * Not promised: that the server has not ended the session since.
   */
  isCurrent(): boolean;
  /** One round trip. Rejects with `ERR_LOCK_LOST`, and aborts `signal`, if the session lacks it. */
  check(): Promise<void>;
  /**
   * One round trip. Later calls return the result of the first. Rejects with
   * `ERR_LOCK_LOST` if the lock was lost, or may have been: the connection
   * failed on the way.
   */
  release(): Promise<void>;
  /**
   * Closes the socket in this process without a word to the server, for a lock
   * that a child has inherited by {@link fd}: it is held until the child ends,
   * and at once free if there is no child. Throws `ERR_LOCK_STATE` where its
   * session holds other locks as well, or tries to, which would go with it. Does
   * nothing once released or lost.
   */
  detach(): void;
}

export class SessionLock implements PostgresLock, Hold {
  readonly name: string;
  readonly since = new Date();
  readonly token: number;
  readonly #want: Want;
  readonly #session: Session;
  readonly #over: () => void;
  // Created on first use: that takes as long as the rest of a grant.
  #controller: AbortController | undefined;
  #lost: LockLostError | undefined;
  #isOver = false;
  #releasing: Promise<void> | undefined;

  /** `over` is called once, when it is not held any more. */
  constructor(want: Want, session: Session, token: number, over: () => void) {
    this.name = want.name;
    this.token = token;
    this.#want = want;
    this.#session = session;
    this.#over = over;
    session.holds.add(this);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#lost !== undefined) this.#controller.abort(this.#lost);
    }
    return this.#controller.signal;
  }

  get fd(): number {
    return this.#isOver ? -1 : this.#session.fd;
  }

  isCurrent(): boolean {
    return !this.#isOver && this.#session.isCurrent();
  }

  async check(): Promise<void> {
    this.#mustHold();
    const owned = await owns(this.#session, this.#want).catch((error: unknown) => {
      this.#mustHold();
      throw error;
    });
    if (owned) return;
    this.lose(new Error('the session does not have it'));
    this.#mustHold();
  }

  #mustHold(): void {
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#isOver) throw new LockLostError(this.name, `${this.name} was released`);
  }

  lose(cause: Error): void {
    if (this.#isOver) return;
    this.#lost = this.#lostError(cause);
    this.#end();
    this.#controller?.abort(this.#lost);
  }

  #lostError(cause: Error): LockLostError {
    return new LockLostError(
      this.name,
      `${this.name} was lost, and another process may acquire it: ${cause.message}`,
      cause,
    );
  }

  release(): Promise<void> {
    this.#releasing ??= this.#letGo();
    return this.#releasing;
  }

  async #letGo(): Promise<void> {
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#isOver) return;
    this.#isOver = true;
    const session = this.#session;
    // The comment of the next statement tells of those that stay.
    session.holds.delete(this);
    try {
      if (await unlock(session, this.#want)) return;
      throw this.#lostError(new Error('the session did not have it'));
    } catch (error) {
      if (error instanceof LockLostError) throw error;
      // Otherwise the lock would stay held, with no holder to release it.
      session.destroy(error as Error);
      throw this.#lostError(error as Error);
    } finally {
      this.#over();
    }
  }

  detach(): void {
    if (this.#isOver) return;
    if (this.#session.holds.size > 1 || this.#session.isTrying) {
      throw new LockStateError(
        this.name,
        `${this.name} cannot be detached: its session holds or is acquiring other locks; use a separate locker`,
      );
    }
    this.#isOver = true;
    this.#session.leave();
    this.#over();
  }

  #end(): void {
    this.#isOver = true;
    this.#session.holds.delete(this);
    this.#over();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}
