import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { monotonicTime } from '../../base/timers.js';
import { elapsedSince, type Moment, moment } from './clock.js';
import type { Answer, Gateway } from './gateway.js';
import { hexOf } from './keys.js';
import { isTransient } from './server-error.js';

interface TimeToLive extends Answer {
  ID?: string;
  TTL?: string;
}

/** Told once when the lease may have ended; `cause` is the last error, if there was one. */
export type OnLoss = (cause: unknown) => void;

export interface LeaseOwner {
  /** No new key may hang on it. */
  retired(): void;
  ended(): void;
}

// The server keeps the keys for the whole ttl after it has heard of us, and we
// stop before that. The rest is for those who must end what the lock guards.
const OWN_PART = 2 / 3;
const KEEPALIVES = 5;
const LONGEST_RETRY = 1000;
// The server refuses a transaction of more than 128.
const MOST_OPERATIONS = 100;

/**
 * What the keys of this process hang on: when it ends, the server deletes them.
 * Its time counts from the moment when a question left, not when the answer
 * came: the server may have got it at once.
 */
export class Lease {
  /** In decimal: it exceeds 2^53. */
  readonly id: string;
  readonly hex: string;
  readonly #gateway: Gateway;
  readonly #owner: LeaseOwner;
  readonly #users = new Set<OnLoss>();
  /** Keys that must not be there, see `abandon`. */
  readonly #ghosts = new Set<string>();
  #ttl: number;
  #sent: Moment;
  /** By the monotonic clock. */
  #used: number;
  #state: 'kept' | 'retired' | 'ended' = 'kept';
  #isLost = false;
  #failure: unknown;
  #next: NodeJS.Timeout | undefined;
  #deadline: NodeJS.Timeout | undefined;

  static async grant(gateway: Gateway, ttl: number, owner: LeaseOwner): Promise<Lease> {
    const sent = moment();
    const answer = await gateway.call<TimeToLive>('/v3/lease/grant', { TTL: ttl });
    const { ID: id = '0', TTL: granted = '0' } = answer;
    return new Lease(gateway, id, Number(granted) * 1000, sent, owner);
  }

  private constructor(gateway: Gateway, id: string, ttl: number, sent: Moment, owner: LeaseOwner) {
    this.id = id;
    this.hex = hexOf(id);
    this.#gateway = gateway;
    this.#owner = owner;
    this.#ttl = ttl;
    this.#sent = sent;
    this.#used = sent.monotonic;
    this.#extend(sent, ttl);
    this.#keepIn(this.#interval);
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /**
   * New keys may hang on it, if that has not ended during a suspend of the
   * machine. The clock that tells is read once a grant, with {@link isCurrent}.
   */
  get isUsable(): boolean {
    const elapsed = monotonicTime() - this.#sent.monotonic;
    return this.#state === 'kept' && elapsed < this.#ttl * OWN_PART;
  }

  /** By the clocks here, the server has it. */
  get isCurrent(): boolean {
    return this.#state !== 'ended' && this.#left() > 0;
  }

  /** Milliseconds. */
  get ttl(): number {
    return this.#ttl;
  }

  use(user: OnLoss): void {
    this.#users.add(user);
  }

  leave(user: OnLoss): void {
    if (!this.#users.delete(user)) return;
    this.#used = monotonicTime();
    if (this.#state === 'retired' && this.#users.size === 0) void this.revoke();
  }

  /**
   * `key` may be there, or appear, and nobody will use it: a server that was
   * stopped still carries out a request when it resumes. So no new key hangs on
   * this lease, and as long as others need it, `key` is deleted with each
   * keepalive.
   */
  abandon(key: string): void {
    this.#ghosts.add(key);
    if (this.#state !== 'kept') return;
    this.#state = 'retired';
    this.#owner.retired();
    if (this.#users.size === 0) void this.revoke();
    else this.#keepIn(0);
  }

  /** Gives it back, and with it what still hangs on it. Tries while it may be there. */
  async revoke(isBackground = true): Promise<void> {
    if (this.#state === 'ended') return;
    this.#end();
    for (;;) {
      try {
        await this.#gateway.call(
          '/v3/lease/revoke',
          { ID: this.id },
          { background: isBackground, within: isBackground ? this.#ttl : LONGEST_RETRY },
        );
        return;
      } catch (error) {
        // Without keepalives, the server ends it by itself.
        if (!isBackground || !isTransient(error) || elapsedSince(this.#sent) > this.#ttl) return;
        await new Promise((resolve) => setTimeout(resolve, LONGEST_RETRY).unref());
      }
    }
  }

  /** Those who use it hear of it. */
  lose(cause: unknown): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#end();
    for (const user of [...this.#users]) user(cause);
    this.#users.clear();
  }

  get #interval(): number {
    return this.#ttl / KEEPALIVES;
  }

  #left(): number {
    return this.#ttl * OWN_PART - elapsedSince(this.#sent);
  }

  #end(): void {
    this.#state = 'ended';
    clearTimeout(this.#next);
    clearTimeout(this.#deadline);
    this.#owner.retired();
    this.#owner.ended();
  }

  #keepIn(milliseconds: number): void {
    clearTimeout(this.#next);
    this.#next = setTimeout(() => void this.#keepAlive(), milliseconds).unref();
  }

  async #keepAlive(): Promise<void> {
    const isIdle = this.#users.size === 0 && monotonicTime() - this.#used > this.#ttl;
    if (isIdle) return this.revoke();
    const sent = moment();
    let pause = this.#interval;
    try {
      const question = { ID: this.id };
      const { TTL: ttl = '0' } = await this.#gateway.call<TimeToLive>(
        '/v3/lease/keepalive',
        question,
        { background: true },
      );
      // It has ended, or somebody has revoked it.
      if (Number(ttl) <= 0) return this.lose(undefined);
      this.#failure = undefined;
      this.#extend(sent, Number(ttl) * 1000);
      await this.#deleteGhosts();
    } catch (error) {
      this.#failure = error;
      pause = Math.min(pause, LONGEST_RETRY);
    }
    if (this.#state !== 'ended') this.#keepIn(pause);
  }

  #extend(sent: Moment, ttl: number): void {
    if (this.#state === 'ended') return;
    this.#sent = sent;
    this.#ttl = ttl;
    clearTimeout(this.#deadline);
    // A timer of its own: the next answer may come late, from the last endpoint.
    this.#deadline = setTimeout(() => this.#judge(), Math.max(0, this.#left())).unref();
  }

  /**
   * Where the loop was blocked, this timer is due together with an answer that has
   * come already, and timers are first. So judge when that has been read, too.
   */
  #judge(): void {
    const deadline = this.#deadline;
    setImmediate(() => {
      // Extended meanwhile.
      if (deadline !== this.#deadline || this.#state === 'ended') return;
      const left = this.#left();
      if (left <= 0) return this.lose(this.#failure);
      this.#deadline = setTimeout(() => this.#judge(), left).unref();
    });
  }

  async #deleteGhosts(): Promise<void> {
    if (this.#ghosts.size === 0) return;
    const some = [...this.#ghosts].slice(0, MOST_OPERATIONS);
    const success = some.map((key) => ({ request_delete_range: { key } }));
    await this.#gateway.call('/v3/kv/txn', { success }, { background: true });
  }
}
