import { throwIfAborted } from '../../base/abort.js';
import { LockStateError, LockUnsupportedError } from '../../base/errors.js';
import type { Holder } from '../../base/holder.js';
import type { LockerOptions, LockView } from '../../base/locker.js';
import { monotonicTime, sleep } from '../../base/timers.js';
import { refusedBy, serverHolder } from '../this-process.js';
import { TIMED_OUT, type Turn, Turns } from '../turns.js';
import { Call } from './call.js';
import type { Setup } from './connect.js';
import { tryLock, type Want, waitLock } from './grants.js';
import { checkName, keyOf } from './key.js';
import { type PostgresLock, SessionLock } from './lock.js';
import { lookAt } from './look.js';
import { isPassing, Refusal } from './server-errors.js';
import type { Session } from './session.js';
import { Sessions } from './sessions.js';
import { cancelStatement } from './statements.js';

/**
 * A session that waits keeps old rows from being cleaned up, and a CREATE INDEX
 * CONCURRENTLY that the holder runs waits for it: so it begins anew, which
 * costs its place in the queue.
 */
const SLICE_MILLISECONDS = 10_000;

/** How often a caller without a session to wait on tries, in milliseconds. */
const POLL_MILLISECONDS = 1000;

export interface EngineOptions extends Setup {
  readonly maxLocks: number;
  readonly maxWaits: number;
}

interface Grant {
  readonly session: Session;
  readonly token: number;
  /** The lock counts for the session no more. */
  readonly forget: () => void;
}

export class Engine {
  readonly #options: EngineOptions;
  readonly #sessions: Sessions;
  readonly #turns = new Turns();
  readonly #calls = new Set<Call>();
  readonly #locks = new Map<string, Set<SessionLock>>();
  #count = 0;
  #isDisposed = false;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#sessions = new Sessions(options, options.maxWaits);
  }

  async acquire(name: string, options?: LockerOptions): Promise<PostgresLock> {
    const call = new Call(name, options);
    try {
      this.#mustBeOpen(name);
      this.#calls.add(call);
      return await this.#answer(call);
    } finally {
      this.#calls.delete(call);
      call.end();
    }
  }

  async look(name: string): Promise<LockView> {
    const key = keyOf(checkName(name));
    this.#mustBeOpen(name);
    try {
      return await this.#sessions.ask((home) => lookAt(home, name, key));
    } catch (error) {
      throw named(error, name);
    }
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true;
    for (const call of this.#calls) call.abort(disposed(call.want.name));
    await this.#sessions.close();
  }

  #mustBeOpen(name: string): void {
    if (this.#isDisposed) throw disposed(name);
    const { maxLocks } = this.#options;
    if (this.#count + this.#calls.size < maxLocks) return;
    throw new LockStateError(
      name,
      `${name} would exceed the ${maxLocks} locks that this locker may hold and wait for; raise "maxLocks", within the server's max_locks_per_transaction`,
    );
  }

  /** What the caller hears: an abort at once, while the server is still being told. */
  #answer(call: Call): Promise<SessionLock> {
    const work = this.#run(call);
    return new Promise((resolve, reject) => {
      let isAnswered = false;
      call.onAbort((reason) => {
        if (isAnswered) return;
        reject(reason);
        // Granted in the same moment: nobody will release it.
        work.then((lock) => lock.release()).catch(() => {});
      });
      work.then(
        (lock) => {
          isAnswered = true;
          resolve(lock);
        },
        (error: unknown) => {
          isAnswered = true;
          reject(named(error, call.want.name));
        },
      );
    });
  }

  async #run(call: Call): Promise<SessionLock> {
    const { want } = call;
    // By key: of two names with the same one, a session would get both.
    const now = this.#turns.tryBegin(want.key.text, want.mode);
    const turn = now ?? (await this.#turn(call));
    let lock: SessionLock;
    try {
      lock = this.#hold(want, turn, await this.#bid(call));
    } catch (error) {
      turn.end();
      throw error;
    }
    if (call.announced !== undefined) await call.announced;
    if (!call.isAborted) return lock;
    await lock.release().catch(() => {});
    throw call.signal.reason;
  }

  /** The server does not tell apart the callers of one process. */
  async #turn(call: Call): Promise<Turn> {
    const { key, mode, name } = call.want;
    if (call.timeout === 0) throw refusedBy(name, await this.#holderOf(call.want));
    const begun = this.#turns.begin(key.text, mode, call.deadline, call.signal);
    call.announce(() => this.#holderOf(call.want));
    const turn = await begun;
    if (turn !== TIMED_OUT) return turn;
    throw call.timedOut(await this.#holderOf(call.want));
  }

  async #bid(call: Call): Promise<Grant> {
    const { want, timeout } = call;
    const first = await this.#tryAtHome(want);
    if (first !== null) return first;
    if (timeout === 0) throw refusedBy(want.name, await this.#holderOf(want));
    call.announce(() => this.#holderOf(want));
    return this.#waitFor(call);
  }

  async #waitFor(call: Call): Promise<Grant> {
    const { want, signal } = call;
    let failure: unknown;
    for (;;) {
      throwIfAborted(signal);
      const left = call.deadline - monotonicTime();
      // The server was away at the end, so it is unknown whether the lock is held.
      if (left <= 0) throw failure ?? call.timedOut(await this.#holderOf(want));
      try {
        const grant = await this.#waitOnce(call, left);
        if (grant !== null) return grant;
        failure = undefined;
      } catch (error) {
        // Nothing was held there, so a wait outlasts a restart of the server.
        if (signal.aborted || !isPassing(error)) throw error;
        failure = error;
        const rest = call.deadline - monotonicTime();
        if (rest > 0) await sleep(pause(rest), signal);
      }
    }
  }

  async #tryAtHome(want: Want): Promise<Grant | null> {
    return this.#sessions.ask(async (session) => {
      const forget = session.use(want.key.text);
      let token: number | null = null;
      try {
        token = await tryLock(session, want);
      } finally {
        if (token === null) forget();
      }
      return token === null ? null : { session, token, forget };
    });
  }

  async #waitOnce(call: Call, left: number): Promise<Grant | null> {
    const { want, signal } = call;
    const session = await this.#sessions.take();
    if (session === null) {
      // Otherwise all sessions could wait behind a caller that waits for a session.
      await sleep(pause(left), signal);
      return this.#tryAtHome(want);
    }
    let token: number | null = null;
    try {
      if (signal.aborted) return null;
      token = await waitLock(session, want, {
        milliseconds: Math.ceil(Math.min(left, SLICE_MILLISECONDS)),
        patience: this.#options.loss / 3,
        signal,
        cancel: (waiting) =>
          this.#sessions.cancel(waiting, (home) => home.query(cancelStatement(waiting.backend))),
      });
    } finally {
      if (token === null) await this.#sessions.giveBack(session);
    }
    return token === null ? null : { session, token, forget: () => {} };
  }

  #hold(want: Want, turn: Turn, { session, token, forget }: Grant): SessionLock {
    const key = want.key.text;
    const locks = this.#locks.get(key) ?? new Set();
    const lock = new SessionLock(want, session, token, () => {
      this.#count--;
      locks.delete(lock);
      if (locks.size === 0 && this.#locks.get(key) === locks) this.#locks.delete(key);
      forget();
      void this.#sessions.giveBack(session);
      turn.end();
    });
    this.#count++;
    this.#locks.set(key, locks.add(lock));
    return lock;
  }

  /** For messages: `null` where it cannot be found out. */
  async #holderOf({ name, key }: Want): Promise<Holder<object> | null> {
    const [own] = this.#locks.get(key.text) ?? [];
    const { me } = this.#options;
    if (own !== undefined) return serverHolder({ ...me, since: own.since, self: true });
    try {
      const { holders } = await this.#sessions.ask((home) => lookAt(home, name, key));
      return holders[0] ?? null;
    } catch {
      return null;
    }
  }
}

/** Not all at the same time. */
function pause(left: number): number {
  return Math.min(left, POLL_MILLISECONDS * (0.75 + Math.random() / 2));
}

function disposed(name: string): LockStateError {
  return new LockStateError(
    name,
    `${name} cannot be acquired: the locker was disposed; create another one`,
  );
}

function named(error: unknown, name: string): unknown {
  if (!(error instanceof Refusal)) return error;
  const statements = error.statements.map((each) => `  ${each}`);
  const lines = [`${name} cannot be locked: ${error.message}`, ...statements];
  return new LockUnsupportedError(name, lines, error.cause);
}
