import type { HeldLock } from '../base/locker.js';
import type { OwnerRecord } from '../holders/owner-record.js';
import type { FileLock } from '../lock/file-lock.js';
import type { Entered } from './enter.js';

// For this folder, not for users.
export let slotOf: <T extends object>(entered: Entered<T>) => Slot<T>;

/**
 * One of the slots of a folder. It exists only as long as it is held. The kernel
 * releases it when the process ends, however it ends, unless a child has
 * inherited `fd`.
 */
export class Slot<T extends object = Record<string, unknown>> implements HeldLock {
  /** Which slot it is, from 1 on. No two hold the same one at once. */
  readonly number: number;

  static {
    slotOf = (entered) => new Slot(entered);
  }

  readonly #lock: FileLock<T>;

  /** Use {@link Slots.acquire} and its siblings. */
  private constructor({ number, lock }: Entered<T>) {
    this.number = number;
    this.#lock = lock;
  }

  /** The slot's file, absolute; bytes that are not UTF-8 are replaced. */
  get path(): string {
    return this.#lock.path;
  }

  /** The record of a holder of this slot that did not release; `null` if the last one did. */
  get previous(): OwnerRecord<T> | null {
    return this.#lock.previous;
  }

  /** False once released or detached. */
  get held(): boolean {
    return this.#lock.held;
  }

  /**
   * The locked descriptor, to hand down to a child (`stdio`); -1 once it is
   * closed, and always on Windows. Never close it. After handing it down, call
   * `detach`, not `release`, which would unlock it for the child as well.
   */
  get fd(): number {
    return this.#lock.fd;
  }

  /**
   * The fencing token: grows with every holder of this slot. Tokens of different
   * slots cannot be compared.
   */
  get token(): number {
    return this.#lock.token;
  }

  /**
   * Aborted with a `LockLostError` within a second after the slot's file is
   * removed or replaced; never by a release. The path is watched from the first
   * read of this property.
   */
  get signal(): AbortSignal {
    return this.#lock.signal;
  }

  /** Whether the slot's file is still the one that is locked. */
  isCurrent(): boolean {
    return this.#lock.isCurrent();
  }

  /** The same as a promise, which rejects with `ERR_LOCK_LOST` if it is not. */
  check(): Promise<void> {
    return this.#lock.check();
  }

  /** Merges `patch` into your fields of the record: see `FileLock.update`. */
  update(patch: Partial<T>): void {
    this.#lock.update(patch);
  }

  /** The slot lives on in the child that has `fd`: see `FileLock.detach`. */
  detach(): void {
    this.#lock.detach();
  }

  /** Removes the record, unlocks and closes. A second call does nothing. */
  releaseSync(): void {
    this.#lock.releaseSync();
  }

  /** `releaseSync` as a promise. */
  async release(): Promise<void> {
    this.#lock.releaseSync();
  }

  [Symbol.dispose](): void {
    this.#lock.releaseSync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lock.releaseSync();
  }
}
