/** A key in the queue of one name: who holds the lock, or waits for it. */
export interface Entry {
  /** In base64, as the gateway wants it. */
  readonly key: string;
  /** Of the lease, in hexadecimal. */
  readonly lease: string;
  /** The revision that created it: its place in the queue, and its token. */
  readonly created: number;
  readonly value: string;
}

/** A key and its value as the gateway writes them: zeros are left out. */
export interface KeyValue {
  key?: string;
  value?: string;
  lease?: string;
  create_revision?: string;
}

/** A range of keys, as the gateway wants it. */
export interface Range {
  key: string;
  range_end: string;
}

/** As etcdctl writes a lease: hexadecimal without padding. */
export function hexOf(lease: string): string {
  return BigInt(lease).toString(16);
}

export function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/**
 * The keys of a name: `NAME/LEASE`, as of `etcdctl lock NAME` and `etcdctl elect
 * NAME`.
 */
export class Keys {
  readonly range: Range;
  readonly #prefix: string;

  constructor(name: string) {
    this.#prefix = `${name}/`;
    // The character after the slash.
    this.range = { key: base64(this.#prefix), range_end: base64(`${name}0`) };
  }

  of(lease: string): string {
    return base64(this.#prefix + lease);
  }

  /**
   * Those that belong to the queue. The range of `a` also has the keys of a lock
   * `a/b`, and whatever others keep below `a/`: what follows the name is not
   * their lease.
   */
  entries(found: readonly KeyValue[] = []): Entry[] {
    const start = Buffer.byteLength(this.#prefix);
    const entries: Entry[] = [];
    for (const { key = '', value = '', lease = '0', create_revision = '0' } of found) {
      const rest = Buffer.from(key, 'base64').toString('latin1', start);
      if (rest !== hexOf(lease)) continue;
      const text = Buffer.from(value, 'base64').toString();
      entries.push({ key, lease: rest, created: Number(create_revision), value: text });
    }
    return entries;
  }
}
