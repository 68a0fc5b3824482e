import type { Gateway } from './gateway.js';
import { Lease } from './lease.js';

/**
 * The lease on which new keys hang: one for all locks of a locker. Others are
 * there only while an old one still has locks.
 */
export class Leases {
  readonly #gateway: Gateway;
  readonly #ttl: number;
  readonly #all = new Set<Lease>();
  #granting: Promise<Lease> | undefined;
  #current: Lease | undefined;
  #isOver = false;

  /** `ttl` in seconds. */
  constructor(gateway: Gateway, ttl: number) {
    this.#gateway = gateway;
    this.#ttl = ttl;
  }

  /** The one for new keys, unless it is over by the monotonic clock. */
  get current(): Lease | undefined {
    return this.#current?.isUsable === true ? this.#current : undefined;
  }

  /** New keys hang on another one: `lease` is over by a clock that takes longer to read. */
  pass(lease: Lease): void {
    if (this.#current === lease && !lease.isCurrent) this.#current = undefined;
  }

  get(): Promise<Lease> {
    if (this.current !== undefined) return Promise.resolve(this.current);
    this.#granting ??= this.#grant().finally(() => {
      this.#granting = undefined;
    });
    return this.#granting;
  }

  /** Whether a key in the queue is this locker's own. */
  has(hex: string): boolean {
    return [...this.#all].some((lease) => lease.hex === hex);
  }

  /** For the end of the locker. */
  async revoke(): Promise<void> {
    this.#isOver = true;
    await Promise.all([...this.#all].map((lease) => lease.revoke(false)));
  }

  async #grant(): Promise<Lease> {
    const lease = await Lease.grant(this.#gateway, this.#ttl, {
      retired: () => {
        if (this.#current === lease) this.#current = undefined;
      },
      ended: () => this.#all.delete(lease),
    });
    this.#all.add(lease);
    this.#current = lease;
    if (this.#isOver) void lease.revoke();
    return lease;
  }
}
