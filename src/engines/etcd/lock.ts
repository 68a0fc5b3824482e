import { clearTimeout, setTimeout } from 'node:timers';
import { LockLostError } from '../../base/errors.js';
import type { HeldLock } from '../../base/locker.js';
import type { Turn } from '../turns.js';
import { pauseBefore } from './gateway.js';
import type { Place } from './place.js';
import { isPerhapsDone, isTransient } from './server-error.js';

// Most locks are held for less, and need no second write.
const CORRECTION_MILLISECONDS = 1000;

/** A lock that an etcd cluster has granted. Made by {@link EtcdLocker.acquire}. */
export interface EtcdLock extends HeldLock {
  readonly name: string;
  /** When it was granted. */
  readonly since: Date;
  /**
   * The key that stands for it: an etcd transaction that compares its
   * `create_revision` with `token` is done only while the lock is held.
   */
  readonly key: string;
  /** The revision that created the key: it grows over all names of the cluster. */
  readonly token: number;
  /**
   * Aborted when the server has not answered for two thirds of the ttl, or says
   * that the lease has ended. That is before another holder is granted, unless
   * this process is paused or somebody revoked the lease or deleted the key.
   */
  readonly signal: AbortSignal;
  readonly held: boolean;
  /**
   * False once two thirds of the ttl have passed without an answer, also after
   * a suspend. Asks nobody: somebody may have deleted the key.
   */
  isCurrent(): boolean;
  check(): Promise<void>;
}

export class GrantedLock implements EtcdLock {
  readonly token: number;
  readonly since = new Date();
  readonly name: string;
  readonly #place: Place;
  readonly #turn: Turn;
  readonly #onEnd: () => void;
  /** Made when somebody wants it: most locks are not lost. */
  #controller: AbortController | undefined;
  #lost: LockLostError | undefined;
  #isHeld = true;
  #hasEnded = false;
  #releasing: Promise<void> | undefined;
  #correction: NodeJS.Timeout | undefined;

  /** `value` says since when it is held, if the key says otherwise. */
  constructor(place: Place, turn: Turn, value: string | undefined, onEnd: () => void) {
    this.token = place.token;
    this.name = place.queue.name;
    this.#place = place;
    this.#turn = turn;
    this.#onEnd = onEnd;
    place.onLoss = (cause) => this.lose('the server may have granted it to another holder', cause);
    if (value === undefined) return;
    // For people: what the key says is the time when the wait began.
    this.#correction = setTimeout(() => {
      place.rewrite(value).catch(() => {});
    }, CORRECTION_MILLISECONDS).unref();
  }

  get key(): string {
    return Buffer.from(this.#place.key, 'base64').toString();
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#lost !== undefined) this.#controller.abort(this.#lost);
    }
    return this.#controller.signal;
  }

  /** Of a release that is under way. */
  get releasing(): Promise<void> | undefined {
    return this.#releasing;
  }

  get held(): boolean {
    return this.#isHeld;
  }

  isCurrent(): boolean {
    return this.#isHeld && this.#lost === undefined && this.#place.lease.isCurrent;
  }

  async check(): Promise<void> {
    if (!this.#isHeld) throw new LockLostError(this.name, `${this.name} has been released`);
    if (this.#lost === undefined && !(await this.#place.isThere()) && this.#isHeld) {
      this.lose('its key is not in the cluster any more');
    }
    if (this.#lost !== undefined) throw this.#lost;
  }

  release(): Promise<void> {
    if (!this.#isHeld) return this.#releasing ?? Promise.resolve();
    this.#isHeld = false;
    this.#releasing = this.#release().finally(() => {
      this.#releasing = undefined;
    });
    return this.#releasing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** The lock may be another's from now on. */
  lose(reason: string, cause?: unknown): void {
    if (this.#lost !== undefined) return;
    const message = `${this.name} is lost: ${reason}`;
    this.#lost = new LockLostError(this.name, message, cause);
    this.#controller?.abort(this.#lost);
    // A release that is under way ends by itself.
    if (this.#isHeld) this.#end();
  }

  async #release(): Promise<void> {
    const { lease, key } = this.#place;
    let isPerhapsDeleted = false;
    try {
      for (let count = 0; ; count++) {
        if (this.#lost !== undefined) throw this.#lost;
        try {
          if (await this.#place.remove({ once: true })) return;
          // A first attempt without an answer may have deleted it.
          if (isPerhapsDeleted && !lease.isLost) return;
          this.lose('its key was not in the cluster any more');
        } catch (error) {
          if (!isTransient(error)) {
            lease.abandon(key);
            throw error;
          }
          isPerhapsDeleted ||= isPerhapsDone(error);
          // The lease's own deadline ends this: then it is lost.
          await new Promise((resolve) => setTimeout(resolve, pauseBefore(count)));
        }
      }
    } finally {
      this.#end();
    }
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearTimeout(this.#correction);
    this.#place.close();
    this.#turn.end();
    this.#onEnd();
  }
}
