import type { Answer, CallOptions, Gateway } from './gateway.js';
import type { Entry, Keys, KeyValue } from './keys.js';

/** What a range has. */
export interface Found {
  kvs?: KeyValue[];
  more?: boolean;
}

/** Where the locks of one name are. */
export interface Queue {
  readonly name: string;
  readonly gateway: Gateway;
  readonly keys: Keys;
}

/** The first to come, and to be granted the lock, is the first. */
export const BY_PLACE = { sort_order: 'ASCEND', sort_target: 'CREATE' };
/** A range rarely has more keys that are not of the queue. */
export const FEW = 8;

/** The queue of a name, the holder first; with `limit`, at least the holder. */
export async function readQueue(
  { gateway, keys }: Queue,
  { limit = 0, ...options }: CallOptions & { limit?: number } = {},
): Promise<Entry[]> {
  const question = { ...keys.range, ...BY_PLACE, limit };
  const found = await gateway.call<Answer & Found>('/v3/kv/range', question, options);
  const entries = keys.entries(found.kvs);
  const mayHaveOthers = limit > 0 && entries.length === 0 && found.more === true;
  return mayHaveOthers ? readQueue({ name: '', gateway, keys }, options) : entries;
}
