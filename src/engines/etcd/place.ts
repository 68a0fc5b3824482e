import { LockUnsupportedError } from '../../base/errors.js';
import type { Answer, CallOptions } from './gateway.js';
import type { Entry } from './keys.js';
import type { Lease, OnLoss } from './lease.js';
import { BY_PLACE, FEW, type Found, type Queue } from './queue.js';
import { isPerhapsDone, type ServerError } from './server-error.js';

interface TransactionAnswer extends Answer {
  succeeded?: boolean;
  responses?: { response_range?: Found; response_txn?: TransactionAnswer }[];
}

const TRANSACTION = '/v3/kv/txn';
const TOO_HIGH = 'the revisions of this cluster exceed 2^53 - 1, the highest token';
const CLEANUP = 1000;
const NOBODY: Found = {};

/**
 * A place in the queue of a name: a key with the lease. The one with the lowest
 * revision of creation holds the lock.
 *
 * Nothing here is done twice unseen. Of a question without an answer it is not
 * known whether, nor when, the server does it:
 *   1. The server is stopped. The put of `n/L` waits in its socket.
 *   2. The caller gives up. The key is not there, so there is nothing to delete.
 *   3. The server goes on, and puts `n/L`. Nobody waits for it, and it holds the
 *      lock as long as this process lives.
 * So the lease L is retired, and the key deleted until L has ended (`abandon`).
 * In the same way a late delete could hit the next key of that name: each
 * compares the revision that created the key.
 */
export class Place {
  readonly lease: Lease;
  readonly key: string;
  readonly queue: Queue;
  /** The revision that created the key: the token of the lock. */
  readonly token: number;
  /** The one just before; `null`: the lock is granted; `undefined`: `look` tells. */
  ahead: Entry | null | undefined;
  /** The revision at which that was so. */
  revision: string;
  /** The others of the queue when it was last read, the holder first. */
  others: Entry[];
  onLoss: OnLoss = () => {};
  readonly #user: OnLoss;

  /**
   * Joins the queue, or with `ifFree` only if it is empty. Otherwise returns who
   * is there; `null`: try again, with another lease. An empty queue is not read:
   * that takes the server as long as the put.
   */
  static async take(
    queue: Queue,
    lease: Lease,
    value: string,
    ifFree: boolean,
  ): Promise<Place | Entry[] | null> {
    const { gateway, keys } = queue;
    const key = keys.of(lease.hex);
    let place: Place | undefined;
    const user: OnLoss = (cause) => place?.onLoss(cause);
    lease.use(user);
    const range = { request_range: { ...keys.range, ...BY_PLACE, limit: FEW } };
    const put = { request_put: { key, value, lease: lease.id } };
    const isNew = { target: 'CREATE', result: 'EQUAL', create_revision: 0 };
    const join = { compare: [{ key, ...isNew }], success: [put, range] };
    const question = {
      compare: [{ ...keys.range, ...isNew }],
      success: [put],
      failure: [ifFree ? range : { request_txn: join }],
    };
    try {
      const answer = await gateway.call<TransactionAnswer>(TRANSACTION, question, { once: true });
      const revision = answer.header?.revision ?? '0';
      const joined = answer.responses?.[0]?.response_txn;
      if (answer.succeeded === true) place = new Place(queue, lease, user, revision, NOBODY);
      else if (joined?.succeeded === true) {
        place = new Place(queue, lease, user, revision, foundIn(joined));
      }
      if (place !== undefined) {
        if (Number.isSafeInteger(place.token)) return place;
        await place.leave(CLEANUP);
        throw new LockUnsupportedError(queue.name, TOO_HIGH);
      }
      // Without `ifFree`, the key has come from elsewhere: find another one.
      if (!ifFree) lease.abandon(key);
      lease.leave(user);
      return ifFree ? keys.entries(foundIn(answer).kvs) : null;
    } catch (error) {
      const isOfLease = (error as ServerError).code === 'NOT_FOUND';
      if (isOfLease) lease.lose(error);
      else if (isPerhapsDone(error)) lease.abandon(key);
      lease.leave(user);
      if (isOfLease) return null;
      throw error;
    }
  }

  /** `found`: the queue, `NOBODY` where this is the only one in it. */
  private constructor(queue: Queue, lease: Lease, user: OnLoss, revision: string, found: Found) {
    this.queue = queue;
    this.lease = lease;
    this.key = queue.keys.of(lease.hex);
    this.#user = user;
    this.revision = revision;
    this.token = Number(revision);
    const { kvs, more } = found;
    const all = queue.keys.entries(kvs);
    this.others = all.filter(({ key }) => key !== this.key);
    const at = all.findIndex(({ key }) => key === this.key);
    this.ahead = at > 0 ? (all[at - 1] as Entry) : at === 0 ? null : more ? undefined : null;
  }

  /**
   * Reads who is ahead, and whether the own key is still there, at one revision:
   * the lease may have ended during the wait, and then the last one ahead is gone
   * as well (etcd #11456). False: it is not there any more.
   */
  async look(): Promise<boolean> {
    let limit = FEW;
    for (;;) {
      const answer = await this.queue.gateway.call<Answer & Found>('/v3/kv/range', {
        key: this.queue.keys.range.key,
        range_end: this.queue.keys.range.range_end,
        sort_order: 'DESCEND',
        sort_target: 'CREATE',
        max_create_revision: this.token,
        limit,
      });
      // Nothing else was created at that revision.
      const [own, ...before] = answer.kvs ?? [];
      if (Number(own?.create_revision) !== this.token) return false;
      const [ahead = null] = this.queue.keys.entries(before);
      // No limit the second time.
      if (ahead === null && answer.more === true && limit > 0) {
        limit = 0;
        continue;
      }
      this.ahead = ahead;
      this.revision = answer.header?.revision ?? '0';
      return true;
    }
  }

  /** Writes another value, unless the key is gone. */
  async rewrite(value: string): Promise<void> {
    const put = { key: this.key, value, lease: this.lease.id };
    const question = { compare: [this.#itself], success: [{ request_put: put }] };
    await this.queue.gateway.call(TRANSACTION, question, { background: true, once: true });
  }

  /** Whether the key is there. */
  async isThere(): Promise<boolean> {
    const question = { compare: [this.#itself] };
    const answer = await this.queue.gateway.call<TransactionAnswer>(TRANSACTION, question);
    return answer.succeeded === true;
  }

  /** Deletes the key. False: it was not there. */
  async remove(options: CallOptions): Promise<boolean> {
    const success = [{ request_delete_range: { key: this.key } }];
    const question = { compare: [this.#itself], success };
    const { gateway } = this.queue;
    const answer = await gateway.call<TransactionAnswer>(TRANSACTION, question, options);
    return answer.succeeded === true;
  }

  /** Gives the place up, within `milliseconds` or, if the server does not answer, later. */
  async leave(milliseconds: number): Promise<void> {
    try {
      if (this.lease.isLost) return;
      const { gateway, keys } = this.queue;
      const range = { request_range: { ...keys.range, ...BY_PLACE, limit: FEW } };
      const success = [{ request_delete_range: { key: this.key } }, range];
      const question = { compare: [this.#itself], success, failure: [range] };
      const answer = await gateway.call<TransactionAnswer>(TRANSACTION, question, {
        within: milliseconds,
      });
      this.others = keys.entries(foundIn(answer).kvs);
    } catch {
      this.lease.abandon(this.key);
    } finally {
      this.close();
    }
  }

  /** Nothing here needs the lease any more. */
  close(): void {
    this.lease.leave(this.#user);
  }

  get #itself(): object {
    return {
      key: this.key,
      target: 'CREATE',
      result: 'EQUAL',
      create_revision: this.token,
    };
  }
}

function foundIn({ responses = [] }: TransactionAnswer): Found {
  return responses.find((each) => each.response_range !== undefined)?.response_range ?? {};
}
