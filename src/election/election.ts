import { EventEmitter } from 'node:events';
import { clearInterval, setImmediate, setInterval } from 'node:timers';
import { onAbort, throwIfAborted } from '../base/abort.js';
import { argumentError } from '../base/argument-errors.js';
import { LockStateError } from '../base/errors.js';
import { printable } from '../base/holder.js';
import { monotonicTime } from '../base/timers.js';
import { emitHoldfastWarning } from '../base/warning.js';
import { Candidacy } from './candidacy.js';
import { type Ground, onFiles, onLocker } from './ground.js';
import type { Member } from './member-files.js';
import { MembersWatch } from './members-watch.js';
import {
  checkJoin,
  checkLeave,
  checkWait,
  type ElectionOptions,
  type JoinRequest,
  type LeaveOptions,
  type LeaveRequest,
} from './options.js';
import { Troubles } from './troubles.js';
import { Waits } from './waits.js';
import { type Leadership, Works } from './works.js';

interface ElectionEvents<T extends object> {
  primary: [term: number];
  standby: [];
  members: [Member<T>[]];
  error: [Error];
}

/** Within a second, a member notices that its files were replaced. */
const CHECK_MILLISECONDS = 250;
const SWEEP_MILLISECONDS = 2000;

/**
 * One leader among siblings: all members queue in the kernel for the lock of
 * one file, and the one that has the lock is primary. When it leaves, crashes or
 * is killed, the next one in the queue is primary within milliseconds.
 *
 * At most one member is primary at any moment, with two exceptions. If the folder
 * or its `.primary` is removed or replaced from outside, two members may act for
 * up to a second; then the old one emits `standby` and `error`. A primary that is
 * stopped or hangs is still primary. Effects that leave the machine need `term`,
 * so that receivers can refuse an earlier primary.
 *
 * `error` is emitted only if it has a listener; otherwise it is a process
 * warning. An error that lasts is reported once, and again when it changes. After
 * an error that can pass (a full disk, no descriptor left) the member tries again
 * each second. An error that stays until somebody fixes it (a `.primary` that is
 * a symlink, or that this user may not write) makes the member leave: `lead` and
 * `whenPrimary` reject with the error; if nobody waits in them, it is emitted as
 * `error`. A standby keeps the process alive until it leaves, because it waits; a
 * primary does not.
 */
export class Election<T extends object = Record<string, unknown>>
  extends EventEmitter<ElectionEvents<T>>
  implements AsyncDisposable
{
  /** The id of this member. */
  readonly id: string;
  /** The folder, or the name of the lock. */
  readonly #place: string;
  readonly #leaving = new AbortController();
  readonly #waits = new Waits();
  readonly #works = new Works();
  readonly #troubles = new Troubles((error) => this.#fail(error));
  readonly #ground: Ground<T>;
  readonly #candidacy: Candidacy;
  readonly #membersWatch: MembersWatch<T>;
  #isPrimary = false;
  #term = 0;
  #left: Promise<void> | undefined;
  /** Why the member has left, if not by a call of `leave`. */
  #failure: Error | undefined;
  #nextSweep = 0;
  #checks: NodeJS.Timeout | undefined;
  #unlisten = (): void => {};

  /** Internal: use {@link Election.join}. */
  private constructor(request: JoinRequest<T>) {
    super();
    const base = {
      leaving: this.#leaving.signal,
      troubles: this.#troubles,
      giveUp: (error: Error) => this.#giveUp(error),
    };
    this.#ground = (request.locker === undefined ? onFiles : onLocker)<T>(request, base);
    this.#place = request.place;
    this.id = this.#ground.membership.id;
    this.#candidacy = new Candidacy({
      ...base,
      seats: this.#ground.seats,
      onPrimary: (term) => this.#begin(term),
      onLost: (error) => this.#resign(error),
      worksEnded: () => this.#works.ended(),
      fail: (error) => this.#fail(error),
    });
    this.#membersWatch = new MembersWatch<T>({
      membership: this.#ground.membership,
      troubles: this.#troubles,
      isHeard: () => this.listenerCount('members') > 0,
      onChange: (members) => this.emit('members', members),
    });
    (this as EventEmitter).on('newListener', (name) => {
      if (name === 'members' && this.#left === undefined) this.#membersWatch.start();
    });
  }

  /**
   * Joins the members of a folder, which is created if it is missing, or with
   * `options.locker` those of the lock of that name. `primary` is emitted after
   * this has resolved, when it is this member's turn.
   *
   * Rejects with `ERR_LOCK_HELD` if a living member has the id (its `holder` names
   * the process), `ERR_LOCK_STATE` if the member's file or `.primary` belongs to
   * another program, `EACCES` or `EROFS` if this user cannot write `.primary`,
   * `signal.reason`, another system error or an argument error.
   */
  static async join<T extends object = Record<string, unknown>>(
    directory: string | URL,
    options?: ElectionOptions<T>,
  ): Promise<Election<T>> {
    const request = checkJoin(directory, options);
    const { signal } = request;
    throwIfAborted(signal);
    const election = new Election<T>(request);
    const { seats, membership } = election.#ground;
    seats.check();
    await membership.enter(signal);
    if (signal?.aborted === true) {
      await membership.leave();
      throw signal.reason;
    }
    election.#unlisten = onAbort(signal, () => election.#leaveUnawaited());
    election.#checks = setInterval(() => election.#check(), CHECK_MILLISECONDS).unref();
    // By then, the caller has added its listeners.
    setImmediate(() => election.#candidacy.start());
    return election;
  }

  /** False from the moment the seat is about to be given up. */
  get isPrimary(): boolean {
    return this.#isPrimary && this.#candidacy.isCurrent;
  }

  /**
   * The term in which this member was last primary; 0 before the first. A
   * fencing token: it is larger than the term of every earlier primary, as long
   * as `.primary` is kept.
   */
  get term(): number {
    return this.#term;
  }

  /** The primary, if it is a living member. */
  async primary(): Promise<Member<T> | null> {
    return (await this.members()).find((member) => member.primary) ?? null;
  }

  /**
   * The living members, in order of id; those of a locker as they queue, or
   * `ERR_LOCK_UNSUPPORTED` if it has no `look`.
   */
  async members(): Promise<Member<T>[]> {
    return this.#ground.membership.members();
  }

  /** Resolves when this member is primary, at once if it already is. */
  async whenPrimary(options?: { signal?: AbortSignal | undefined }): Promise<void> {
    const signal = checkWait(options);
    throwIfAborted(signal);
    if (this.#left !== undefined) throw this.#gone();
    if (!this.#isPrimary) await this.#waits.add(signal);
  }

  /**
   * Runs `work` once this member is primary, and resolves or rejects as `work`
   * does; the member stays primary until it leaves. `options.signal` ends the wait.
   */
  async lead<R>(
    work: (leadership: Leadership) => R | Promise<R>,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<R> {
    if (typeof work !== 'function') {
      throw argumentError('ERR_INVALID_ARG_TYPE', 'work', 'a function', work);
    }
    // The seat may be lost again before this continues.
    do await this.whenPrimary(options);
    while (!this.#isPrimary);
    return this.#works.run(work, { term: this.#term, fd: this.#candidacy.fd });
  }

  /**
   * Gives up the seat or the place in the queue, and removes the member's file.
   * A primary first aborts the signals of its `lead` callbacks, and releases the
   * seat when they have ended. Called inside one of them, it does not wait for
   * that. A second call only waits for the first, whatever its options.
   */
  async leave(options?: LeaveOptions): Promise<void> {
    const checked = checkLeave(options);
    if (this.#left === undefined) this.#candidacy.checkRelease(checked, this.#place);
    this.#left ??= this.#end(checked);
    if (!this.#works.encloseCaller()) return this.#left;
    // The callback would wait for itself.
    this.#left.catch((error) => this.#fail(error));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }

  #leaveUnawaited(): void {
    this.leave().catch((error) => this.#fail(error));
  }

  async #end(options: LeaveRequest): Promise<void> {
    const worksEnded = this.#works.ended();
    this.#unlisten();
    clearInterval(this.#checks);
    this.#membersWatch.stop();
    this.#leaving.abort();
    const gone = this.#gone();
    this.#waits.reject(gone);
    try {
      this.#resign(gone);
    } finally {
      await worksEnded;
      // With files, both are done before this is awaited.
      await Promise.all([this.#candidacy.release(options), this.#ground.membership.leave()]);
    }
  }

  #gone(): Error {
    const message = `member ${printable(this.id)} has left`;
    return this.#failure ?? new LockStateError(this.#place, message);
  }

  /** Leaves because of an error that a retry would not fix. */
  #giveUp(error: Error): void {
    if (this.#left !== undefined) return;
    this.#failure = error;
    const isAwaited = this.#waits.size > 0;
    this.#leaveUnawaited();
    if (!isAwaited) this.#fail(error);
  }

  #begin(term: number): void {
    this.#term = term;
    this.#isPrimary = true;
    this.#waits.resolve();
    // After the work has begun: the files of dead members are not urgent.
    setImmediate(() => this.#sweep());
    this.emit('primary', term);
  }

  /** A primary also removes the files of members that die while it is primary. */
  #sweep(): void {
    if (!this.#isPrimary) return;
    this.#nextSweep = monotonicTime() + SWEEP_MILLISECONDS;
    try {
      this.#ground.membership.sweep();
      this.#troubles.over('sweep');
    } catch (error) {
      this.#troubles.report('sweep', error as Error);
    }
  }

  /** Notifies `lead` callbacks and listeners before the seat is released. */
  #resign(reason: Error): void {
    if (!this.#isPrimary) return;
    this.#isPrimary = false;
    this.#works.abort(reason);
    this.emit('standby');
  }

  /** Notices files that were removed or replaced from outside. */
  #check(): void {
    const { membership } = this.#ground;
    if (membership.isRenewing || this.#left !== undefined) return;
    try {
      this.#candidacy.requeueIfLost();
      membership.renewIfReplaced();
      this.#troubles.over('check');
    } catch (error) {
      this.#troubles.report('check', error as Error);
    }
    if (monotonicTime() >= this.#nextSweep) this.#sweep();
  }

  #fail(error: Error): void {
    if (this.listenerCount('error') > 0) {
      this.emit('error', error);
      return;
    }
    emitHoldfastWarning('HOLDFAST_ELECTION', `Election in ${this.#place}: ${error.message}`);
  }
}
