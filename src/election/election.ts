import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { clearInterval, setImmediate, setInterval } from 'node:timers';
import { onAbort } from '../base/abort.js';
import {
  argumentError,
  checkMilliseconds,
  checkOptions,
  checkPath,
  checkSignal,
  optionNames,
} from '../base/arguments.js';
import { LockLostError, LockStateError } from '../base/errors.js';
import { printable } from '../base/holder.js';
import { sleep } from '../base/timers.js';
import { checkData } from '../holders/owner-record.js';
import type { FileLock } from '../lock/file-lock.js';
import { checkId, lookAtMembers, type Member, newId, sweep } from './member-files.js';
import { OwnFile } from './own-file.js';
import { acquireSeat, checkSeat, tryAcquireSeat } from './seat.js';
import { settleDown } from './settle.js';
import { canPass, Troubles } from './troubles.js';

export interface ElectionOptions<T extends object = Record<string, unknown>> {
  /**
   * Unique among the living, and sortable. Default: the time and something
   * random, so that later ones sort later.
   */
  id?: string | undefined;
  /**
   * Milliseconds, default 0: how long a free seat stays free after joining, so
   * that of those that start together the one with the smallest id takes it.
   */
  settle?: number | undefined;
  /** The user's own fields, for the others to read. */
  data?: Partial<T> | undefined;
  /** Ends the joining, with `signal.reason`; later it makes the member leave. */
  signal?: AbortSignal | undefined;
}

const ELECTION_OPTIONS = optionNames<ElectionOptions>({
  id: true,
  settle: true,
  data: true,
  signal: true,
});
const WAIT_OPTIONS = new Set(['signal']);

export interface Leadership {
  /** A fencing token: larger than that of every earlier primary. */
  term: number;
  /** Aborted when this member is primary no longer. */
  signal: AbortSignal;
  /** The seat's locked descriptor, to hand down to a child that does the work. */
  fd: number;
}

interface ElectionEvents<T extends object> {
  primary: [term: number];
  standby: [];
  members: [Member<T>[]];
  error: [Error];
}

interface Waiting {
  resolve: () => void;
  reject: (reason: unknown) => void;
}

// For the command, not for users.
/** As `leave`, but the seat stays with whoever was given its descriptor. */
export let leaveBehind: (election: Election) => Promise<void>;

/** Files that were replaced are noticed within a second. */
const LOOK_MILLISECONDS = 250;
const RETRY_MILLISECONDS = 1000;
const SWEEP_MILLISECONDS = 2000;

/** The works of `lead`, of any election, that this is a part of. */
const leading = new AsyncLocalStorage<readonly Promise<void>[]>();

/**
 * One leader among siblings: all members queue in the kernel for the lock of
 * one file, and whoever has it is primary. When it leaves, crashes or is
 * killed, the next one in the queue is primary within milliseconds.
 *
 * At most one member is primary at any moment. Named exceptions: if the folder
 * or its `.primary` is removed or replaced from outside, two may act for up to a
 * second; then the old one gets `standby` and `error`. A primary that is
 * stopped or hangs is still primary. Effects that leave the machine need
 * `term` to fence off those of an earlier primary.
 *
 * `error` is emitted only where it has a listener, else it is a process
 * warning; what goes on is told once, and again when it has changed. What may
 * pass (a full disk, no descriptor left) is tried again each second. What stays
 * until somebody changes it (a `.primary` that is a symlink, or that this user
 * may not write) makes the member leave: `lead` and `whenPrimary` reject with
 * it; where nobody waits for them it is an `error`. A standby keeps the process alive until it leaves, for it waits; a
 * primary does not.
 */
export class Election<T extends object = Record<string, unknown>>
  extends EventEmitter<ElectionEvents<T>>
  implements AsyncDisposable
{
  readonly id: string;
  readonly #directory: string;
  readonly #own: OwnFile;
  readonly #settle: number;
  readonly #leaving = new AbortController();
  readonly #waiting = new Set<Waiting>();
  readonly #leads = new Set<AbortController>();
  readonly #works = new Set<Promise<unknown>>();
  readonly #troubles = new Troubles((error) => this.#fail(error));
  #seat: FileLock<object> | null = null;
  #isPrimary = false;
  #term = 0;
  #left: Promise<void> | undefined;
  /** Why it has left, if not by `leave`. */
  #failure: Error | undefined;
  #nextSweep = 0;
  #watch: NodeJS.Timeout | undefined;
  #membersWatch: NodeJS.Timeout | undefined;
  #entering = false;
  #forgetSignal = (): void => {};

  static {
    leaveBehind = (election) => election.#leave((seat) => seat.detach());
  }

  /** Only from within: use {@link Election.join}. */
  private constructor(directory: string, id: string, settle: number, data: Partial<T> | undefined) {
    super();
    this.id = id;
    this.#directory = directory;
    this.#settle = settle;
    this.#own = new OwnFile(directory, id, data);
    (this as EventEmitter).on('newListener', (name) => {
      if (name === 'members') this.#watchMembers();
    });
  }

  /**
   * Joins the members of a folder, which is made if it is missing. `primary`
   * is emitted after this has resolved, if it is this member's turn.
   *
   * Rejects with `ERR_LOCK_HELD` if a living member has the id (its `holder` names
   * the process), `ERR_LOCK_STATE` if the member's file or `.primary` would be a
   * file of another program, `EACCES` if `.primary` cannot be written by this user,
   * `signal.reason`, another system error or an argument error.
   */
  static async join<T extends object = Record<string, unknown>>(
    directory: string | URL,
    options?: ElectionOptions<T>,
  ): Promise<Election<T>> {
    const checked = checkOptions(options, ELECTION_OPTIONS);
    const folder = checkPath(directory, 'directory');
    const id = checked.id === undefined ? newId() : checkId(checked.id);
    const settle = checkMilliseconds(checked.settle, 'options.settle', 0);
    if (settle > LONGEST_SETTLE) {
      throw argumentError('ERR_OUT_OF_RANGE', 'options.settle', 'at most an hour', settle);
    }
    const signal = checkSignal(checked.signal);
    checkData(checked.data);
    throwIfAborted(signal);
    const election = new Election<T>(folder, id, settle, checked.data);
    checkSeat(folder);
    await election.#own.lock(signal);
    try {
      throwIfAborted(signal);
    } catch (reason) {
      election.#own.remove();
      throw reason;
    }
    election.#forgetSignal = onAbort(signal, () => election.#leaveAlone());
    election.#watch = setInterval(() => election.#look(), LOOK_MILLISECONDS).unref();
    // The caller is to have its listeners by then.
    setImmediate(() => void election.#stand());
    return election;
  }

  /** False from the moment on at which it is about to be given up. */
  get isPrimary(): boolean {
    return this.#isPrimary;
  }

  /**
   * Of this member's last primacy; 0 before the first. A fencing token: it is
   * larger than that of every earlier primary, as long as `.primary` is kept.
   */
  get term(): number {
    return this.#term;
  }

  /** The primary, where it is a living member. */
  async primary(): Promise<Member<T> | null> {
    return lookAtMembers<T>(this.#directory).find((member) => member.primary) ?? null;
  }

  /** The living, in order of id. */
  async members(): Promise<Member<T>[]> {
    return lookAtMembers<T>(this.#directory);
  }

  /** Resolves when this member is primary, at once if it is. */
  async whenPrimary(options?: { signal?: AbortSignal | undefined }): Promise<void> {
    const signal = checkSignal(checkOptions(options, WAIT_OPTIONS).signal);
    if (signal?.aborted === true) throw signal.reason;
    if (this.#left !== undefined) throw this.#gone();
    if (this.#isPrimary) return;
    await new Promise<void>((resolve, reject) => {
      const waiting = {
        resolve: () => {
          forget();
          resolve();
        },
        reject: (reason: unknown) => {
          forget();
          reject(reason);
        },
      };
      this.#waiting.add(waiting);
      const forget = onAbort(signal, () => {
        this.#waiting.delete(waiting);
        reject(signal?.reason);
      });
    });
  }

  /**
   * Runs `work` once this member is primary, and resolves or rejects as it
   * does; the member stays primary until it leaves. `options.signal` ends the wait.
   */
  async lead<R>(
    work: (leadership: Leadership) => R | Promise<R>,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<R> {
    if (typeof work !== 'function') {
      throw argumentError('ERR_INVALID_ARG_TYPE', 'work', 'a function', work);
    }
    // It may be lost again before this goes on.
    do await this.whenPrimary(options);
    while (!this.#isPrimary);
    const controller = new AbortController();
    const leadership = { term: this.#term, signal: controller.signal, fd: this.#seat?.fd ?? -1 };
    this.#leads.add(controller);
    let settle = (): void => {};
    const settled = new Promise<void>((resolve) => {
      settle = resolve;
    });
    this.#works.add(settled);
    const around = leading.getStore() ?? [];
    const working = leading.run([...around, settled], async () => work(leadership));
    try {
      return await working;
    } finally {
      this.#leads.delete(controller);
      this.#works.delete(settled);
      settle();
    }
  }

  /**
   * Gives up the primacy or the place in the queue, and removes the member's
   * file. A primary first aborts the signals of its `lead`s, and lets go of the
   * seat when their work has settled. Called by such work it does not wait for
   * that. A second call does nothing but wait for the first.
   */
  leave(): Promise<void> {
    return this.#leave((seat) => seat.releaseSync());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }

  #leave(letGo: (seat: FileLock<object>) => void): Promise<void> {
    this.#left ??= this.#end(letGo);
    const isInside = leading.getStore()?.some((work) => this.#works.has(work)) === true;
    if (!isInside) return this.#left;
    // What waits for the work cannot be waited for in the work.
    this.#left.catch((error) => this.#fail(error));
    return Promise.resolve();
  }

  /** Where nobody waits for it. */
  #leaveAlone(): void {
    this.leave().catch((error) => this.#fail(error));
  }

  async #end(letGo: (seat: FileLock<object>) => void): Promise<void> {
    const works = [...this.#works];
    this.#forgetSignal();
    clearInterval(this.#watch);
    clearInterval(this.#membersWatch);
    this.#leaving.abort();
    const gone = this.#gone();
    for (const waiting of [...this.#waiting]) waiting.reject(gone);
    this.#waiting.clear();
    try {
      this.#resign(gone);
    } finally {
      await Promise.all(works);
      const seat = this.#seat;
      this.#seat = null;
      try {
        if (seat !== null) letGo(seat);
      } finally {
        this.#own.remove();
      }
    }
  }

  #gone(): Error {
    const message = `member ${printable(this.id)} has left`;
    return this.#failure ?? new LockStateError(this.#directory, message);
  }

  /** Leaves because of what will not pass by itself. */
  #giveUp(error: Error): void {
    if (this.#left !== undefined) return;
    this.#failure = error;
    const isHeard = this.#waiting.size > 0;
    this.#leaveAlone();
    if (!isHeard) this.#fail(error);
  }

  /** In the queue for the seat, until it has it or leaves. */
  async #stand(): Promise<void> {
    const { signal } = this.#leaving;
    const [directory, id, settle] = [this.#directory, this.id, this.#settle];
    for (;;) {
      let seat: FileLock<object>;
      try {
        await settleDown({ directory, id, since: this.#own.since, settle, signal });
        seat = await acquireSeat(directory, id, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!canPass(error)) return this.#giveUp(error as Error);
        this.#troubles.report('seat', error as Error);
        await sleep(RETRY_MILLISECONDS, signal).catch(() => {});
        if (signal.aborted) return;
        continue;
      }
      this.#troubles.over('seat');
      if (!signal.aborted) return this.#begin(seat);
      seat.releaseSync();
      return;
    }
  }

  #begin(seat: FileLock<object>): void {
    this.#seat = seat;
    this.#term = seat.token;
    this.#isPrimary = true;
    for (const waiting of [...this.#waiting]) waiting.resolve();
    this.#waiting.clear();
    // What the one before left is cleared away, after the work has begun.
    setImmediate(() => this.#sweep());
    this.emit('primary', this.#term);
  }

  /** Files of the dead: a primary removes them, of a standby that dies after it has begun too. */
  #sweep(): void {
    if (!this.#isPrimary) return;
    this.#nextSweep = performance.now() + SWEEP_MILLISECONDS;
    try {
      sweep(this.#directory);
      this.#troubles.over('sweep');
    } catch (error) {
      this.#troubles.report('sweep', error as Error);
    }
  }

  /** Primary no longer: everybody hears of it before the seat is let go of. */
  #resign(reason: Error): void {
    if (!this.#isPrimary) return;
    this.#isPrimary = false;
    for (const controller of this.#leads) controller.abort(reason);
    this.#leads.clear();
    this.emit('standby');
  }

  /** Were the files replaced or removed from outside? */
  #look(): void {
    if (this.#entering || this.#left !== undefined) return;
    try {
      if (this.#seat?.isCurrent() === false) this.#lose(this.#seat);
      if (!this.#own.isCurrent()) void this.#reenter();
      this.#troubles.over('look');
    } catch (error) {
      this.#troubles.report('look', error as Error);
    }
    if (performance.now() >= this.#nextSweep) this.#sweep();
  }

  #lose(seat: FileLock<object>): void {
    const message = `${seat.path} was removed or replaced: another member may be primary`;
    const error = new LockLostError(seat.path, message);
    const works = [...this.#works];
    this.#seat = null;
    try {
      this.#resign(error);
    } finally {
      void this.#queueAgain(seat, works);
      this.#fail(error);
    }
  }

  /**
   * The seat that is there now is taken, if it can be, before the old one is
   * let go of: else a standby that the old one wakes would be primary beside
   * the work, which has only just been told to end.
   */
  async #queueAgain(old: FileLock<object>, works: readonly Promise<unknown>[]): Promise<void> {
    let next: FileLock<object> | null = null;
    try {
      next = tryAcquireSeat(this.#directory, this.id);
      this.#seat = next;
    } catch {
      // `#stand` meets it again, and knows whether it may pass.
    }
    try {
      old.releaseSync();
    } catch (error) {
      this.#fail(error as Error);
    }
    await Promise.all(works);
    if (this.#left !== undefined || this.#seat !== next) return;
    if (next === null) void this.#stand();
    else this.#begin(next);
  }

  async #reenter(): Promise<void> {
    const { signal } = this.#leaving;
    this.#entering = true;
    try {
      await this.#own.lock(signal);
      this.#troubles.over('own');
    } catch (error) {
      if (signal.aborted) return;
      // Somebody else lives by this id now, perhaps.
      if (!canPass(error)) return this.#giveUp(error as Error);
      this.#troubles.report('own', error as Error);
      await sleep(RETRY_MILLISECONDS, signal).catch(() => {});
    } finally {
      this.#entering = false;
    }
    if (signal.aborted) this.#own.remove();
  }

  #fail(error: Error): void {
    if (this.listenerCount('error') > 0) {
      this.emit('error', error);
      return;
    }
    process.emitWarning(`Election in ${this.#directory}: ${error.message}`, {
      type: 'HoldfastWarning',
      code: 'HOLDFAST_ELECTION',
    });
  }

  /** For as long as somebody listens. */
  #watchMembers(): void {
    if (this.#membersWatch !== undefined || this.#left !== undefined) return;
    let last: string | undefined;
    const look = (): void => {
      if (last !== undefined && this.listenerCount('members') === 0) {
        clearInterval(this.#membersWatch);
        this.#membersWatch = undefined;
        return;
      }
      let members: Member<T>[];
      try {
        members = lookAtMembers<T>(this.#directory);
        this.#troubles.over('members');
      } catch (error) {
        this.#troubles.report('members', error as Error);
        return;
      }
      const text = JSON.stringify(members.map(({ id, primary }) => [id, primary]));
      const changed = last !== undefined && last !== text;
      last = text;
      if (changed) this.emit('members', members);
    };
    look();
    this.#membersWatch = setInterval(look, LOOK_MILLISECONDS).unref();
  }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw signal.reason;
}

const LONGEST_SETTLE = 3_600_000;
