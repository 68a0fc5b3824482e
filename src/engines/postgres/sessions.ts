import { openSession, type Setup } from './connect.js';
import { isPassing } from './server-errors.js';
import type { Session } from './session.js';

/** So many sessions are kept for the next waits. */
const MOST_IDLE = 4;

const CLOSED = 'the locker was disposed';

/** The sessions of one locker: one for what is granted at once, and those of the waits. */
export class Sessions {
  readonly #setup: Setup;
  readonly #maxWaits: number;
  readonly #all = new Set<Session>();
  readonly #idle: Session[] = [];
  #home: Promise<Session> | undefined;
  /** The home session while it is open. */
  #opened: Session | undefined;
  /** Open, or being opened. */
  #waits = 0;
  readonly #closing = new AbortController();

  constructor(setup: Setup, maxWaits: number) {
    this.#setup = setup;
    this.#maxWaits = maxWaits;
  }

  /** Connects where it is not. What the last one held has been lost before. */
  home(): Promise<Session> {
    if (this.#home !== undefined) return this.#home;
    const opening = this.#open();
    this.#home = opening;
    const forget = (): void => {
      if (this.#home !== opening) return;
      this.#home = undefined;
      this.#opened = undefined;
    };
    opening.then((session) => {
      this.#opened = session;
      session.onEnd(forget);
    }, forget);
    return opening;
  }

  /** Asks on the home session, once more on a new one where the old one turns out to be gone. */
  async ask<T>(question: (home: Session) => Promise<T>): Promise<T> {
    const old = this.#opened;
    const home = await this.home();
    try {
      return await question(home);
    } catch (error) {
      if (home !== old || home.ended === undefined || this.#closing.signal.aborted) throw error;
      return question(await this.home());
    }
  }

  /** A session to wait on, or `null`: then try on the home session. */
  async take(): Promise<Session | null> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#waits >= this.#maxWaits) return null;
    this.#waits++;
    try {
      const session = await this.#open();
      session.onEnd(() => {
        this.#waits--;
        const at = this.#idle.indexOf(session);
        if (at >= 0) this.#idle.splice(at, 1);
      });
      return session;
    } catch (error) {
      this.#waits--;
      // The server may have no connection left, and the home session serves.
      if (this.#opened !== undefined && isPassing(error)) return null;
      throw error;
    }
  }

  /** For a session whose lock is released; nothing is done to the home session. */
  async giveBack(session: Session): Promise<void> {
    if (session === this.#opened || session.ended !== undefined) return;
    if (this.#idle.length < MOST_IDLE) this.#idle.push(session);
    else await session.close('it is not needed');
  }

  /** Makes the server end what `session` waits for, or ends the session. */
  async cancel(session: Session, cancel: (home: Session) => Promise<unknown>): Promise<void> {
    const home = this.#opened;
    try {
      // After a failover the number may be another session's.
      if (home?.server !== session.server) throw new Error('the home session is gone');
      await cancel(home);
    } catch (error) {
      session.destroy(error as Error);
    }
  }

  async close(): Promise<void> {
    // What is being connected would keep the process alive until it fails.
    this.#closing.abort(new Error(CLOSED));
    await Promise.all([...this.#all].map((session) => session.close(CLOSED)));
  }

  async #open(): Promise<Session> {
    const session = await openSession(this.#setup, this.#closing.signal);
    this.#all.add(session);
    session.onEnd(() => this.#all.delete(session));
    if (this.#closing.signal.aborted) {
      await session.close(CLOSED);
      throw session.ended;
    }
    return session;
  }
}
