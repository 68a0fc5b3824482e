import { throwIfAborted } from '../../base/abort.js';
import {
  checkFunction,
  checkMilliseconds,
  checkOptions,
  checkSignal,
} from '../../base/arguments.js';
import {
  isLockError,
  LockStateError,
  LockTimeoutError,
  LockUnsupportedError,
} from '../../base/errors.js';
import type { Holder } from '../../base/holder.js';
import {
  checkExclusive,
  checkLockName,
  LOCKER_OPTIONS,
  type Locker,
  type LockerOptions,
  type LockView,
} from '../../base/locker.js';
import { sleep } from '../../base/timers.js';
import { refusedBy, thisProcess } from '../this-process.js';
import { TIMED_OUT, type Turn, Turns } from '../turns.js';
import { Call, GRACE, unless } from './call.js';
import { describeProcess, holderOf, unknownHolder } from './describe.js';
import { reachFront } from './front.js';
import { Gateway } from './gateway.js';
import { type Entry, Keys } from './keys.js';
import { Leases } from './leases.js';
import { type EtcdLock, GrantedLock } from './lock.js';
import { checkEtcdOptions, type EtcdLockerOptions } from './options.js';
import { Place } from './place.js';
import { FEW, type Queue, readQueue } from './queue.js';
import { type ServerError, UNSUPPORTED } from './server-error.js';

/** A {@link Locker} of an etcd cluster. Disposing it releases what it holds. */
export interface EtcdLocker extends Locker, AsyncDisposable {
  acquire(name: string, options?: LockerOptions): Promise<EtcdLock>;
  look(name: string): Promise<LockView>;
}

/**
 * Locks of an etcd cluster, version 3.4 or later, by its JSON gateway: keys
 * with a lease, as of `etcdctl lock` and `etcdctl elect`, with which they
 * interoperate. Connects at the first call. Exclusive locks only.
 *
 * A process that dies keeps its locks for `ttl`. One that is paused for longer
 * does not know that it has lost them until it goes on: pass the `token` to the
 * resource, so that it can refuse an earlier holder.
 */
export function etcdLocker(options: EtcdLockerOptions): EtcdLocker {
  return new ServerLocker(options);
}

class ServerLocker implements EtcdLocker {
  readonly #gateway: Gateway;
  readonly #leases: Leases;
  readonly #prefix: string;
  readonly #ttl: number;
  readonly #self: ReturnType<typeof thisProcess>;
  readonly #turns = new Turns();
  readonly #calls = new Map<Call, Promise<unknown>>();
  readonly #locks = new Map<string, GrantedLock>();
  #end: Promise<void> | undefined;

  constructor(options: EtcdLockerOptions) {
    const checked = checkEtcdOptions(options);
    this.#gateway = new Gateway(checked);
    this.#leases = new Leases(this.#gateway, checked.ttl);
    this.#prefix = checked.prefix;
    this.#ttl = checked.ttl * 1000;
    this.#self = thisProcess(checked.command);
  }

  async acquire(name: string, options?: LockerOptions): Promise<EtcdLock> {
    const checked = checkOptions(options, LOCKER_OPTIONS);
    checkLockName(name);
    const limit = checkMilliseconds(checked.timeout, 'options.timeout', Number.POSITIVE_INFINITY);
    const signal = checkSignal(checked.signal);
    checkFunction(checked.onWait, 'options.onWait');
    checkMilliseconds(checked.pollInterval, 'options.pollInterval', 0);
    checkExclusive(checked.mode, name, 'locks of etcd');
    throwIfAborted(signal);
    this.#checkOpen(name);
    const call = new Call(name, limit, checked);
    const acquiring = this.#acquire(call);
    this.#calls.set(call, acquiring);
    try {
      return await acquiring;
    } catch (error) {
      if (error === TIMED_OUT && call.failure === undefined) {
        call.holder ??= await this.#holder(name);
        // If the server has never answered, it is unknown whether the lock is held.
        if (!this.#gateway.isReached) call.failure = this.#gateway.silence(limit);
      }
      throw explain(call, error);
    } finally {
      call.end();
      this.#calls.delete(call);
    }
  }

  async look(name: string): Promise<LockView> {
    this.#checkOpen(checkLockName(name));
    const all = await readQueue(this.#queue(name)).catch((error) => {
      throw known(name, error);
    });
    const [holder, ...waiters] = all.map((entry) => this.#describe(entry));
    return { holders: holder === undefined ? [] : [holder], waiters };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#end ??= this.#close();
    return this.#end;
  }

  #checkOpen(name: string): void {
    if (this.#end === undefined) return;
    throw new LockStateError(name, `${name}: this locker was disposed; create another one`);
  }

  #queue(name: string): Queue {
    return { name, gateway: this.#gateway, keys: new Keys(this.#prefix + name) };
  }

  /** At most one call a name asks the server: to that, all have the same lease. */
  async #acquire(call: Call): Promise<EtcdLock> {
    const turn = await this.#turn(call);
    try {
      const began = new Date();
      const place = await this.#granted(call);
      const value = Date.now() - began.getTime() > 1000 ? describeProcess(this.#self) : undefined;
      const lock = new GrantedLock(place, turn, value, () => this.#locks.delete(keyOf(call.name)));
      this.#locks.set(keyOf(call.name), lock);
      return lock;
    } catch (error) {
      turn.end();
      throw error;
    }
  }

  async #turn(call: Call): Promise<Turn> {
    const turn = this.#turns.tryBegin(keyOf(call.name), 'exclusive');
    if (turn !== null) return turn;
    if (call.limit === 0) throw refusedBy(call.name, await this.#holder(call.name));
    const queued = this.#turns.begin(
      keyOf(call.name),
      'exclusive',
      Number.POSITIVE_INFINITY,
      call.signal,
    ) as Promise<Turn>;
    try {
      call.waitsFor(await unless(call.signal, this.#holder(call.name)));
    } catch (error) {
      call.stop(error);
      queued.then(
        (late) => late.end(),
        () => {},
      );
      throw error;
    }
    return queued;
  }

  /** A place in front of all others. */
  async #granted(call: Call): Promise<Place> {
    const queue = this.#queue(call.name);
    // Where only keys of others are in the way of a look, a place is taken after all.
    let ifFree = call.limit === 0;
    for (;;) {
      const taken = await call.patiently(this.#gateway, this.#ttl, () =>
        this.#take(call, queue, ifFree),
      );
      if (taken === null) continue;
      if (!(taken instanceof Place)) {
        const [first] = taken;
        if (first !== undefined) throw refusedBy(call.name, this.#describe(first));
        ifFree = false;
        continue;
      }
      const isGranted = await this.#reachFront(call, taken);
      if (isGranted) return taken;
    }
  }

  async #take(call: Call, queue: Queue, ifFree: boolean): Promise<Place | Entry[] | null> {
    const lease = this.#leases.current ?? (await unless(call.signal, this.#leases.get()));
    const taking = Place.take(queue, lease, describeProcess(this.#self), ifFree);
    try {
      return await call.untilOverdue(taking);
    } catch (error) {
      // Else it has cleared up itself.
      if (call.isOverdue) {
        lease.abandon(queue.keys.of(lease.hex));
        taking.then(
          (late) => (late instanceof Place ? late.leave(GRACE) : undefined),
          () => {},
        );
      }
      throw error;
    }
  }

  /** False: the place is lost, and another one may be taken. Left in all other cases but a grant. */
  async #reachFront(call: Call, place: Place): Promise<boolean> {
    try {
      call.throwIfStopped();
      if (place.ahead === undefined && !(await this.#look(call, place))) {
        await place.leave(GRACE);
        return false;
      }
      if (place.ahead !== null) {
        const [first = place.ahead] = place.others;
        const holder = first === undefined ? unknownHolder() : this.#describe(first);
        if (call.limit === 0) throw refusedBy(call.name, holder);
        call.waitsFor(holder);
      }
      const isFront = place.ahead === null || (await reachFront(place, call));
      const isGranted = isFront && place.lease.isCurrent;
      call.throwIfStopped();
      if (!isGranted) {
        this.#leases.pass(place.lease);
        await place.leave(GRACE);
      }
      return isGranted;
    } catch (error) {
      await place.leave(GRACE);
      const [first] = place.others;
      if (first !== undefined) call.holder = this.#describe(first);
      throw error;
    }
  }

  #look(call: Call, place: Place): Promise<boolean> {
    const look = (): Promise<boolean> => unless(call.signal, place.look());
    return call.patiently(this.#gateway, this.#ttl, look);
  }

  /** Who holds a lock that this process holds or waits for; of a silent server, nothing. */
  async #holder(name: string): Promise<Holder<object>> {
    const { pid, hostname, command } = this.#self;
    const own = this.#locks.get(keyOf(name));
    if (own !== undefined) {
      const { since } = own;
      return { ...unknownHolder(), pid, hostname, command, since, self: true };
    }
    try {
      const [first] = await readQueue(this.#queue(name), { limit: FEW, within: GRACE });
      return first === undefined ? unknownHolder() : this.#describe(first);
    } catch {
      return unknownHolder();
    }
  }

  #describe(entry: Entry): Holder<object> {
    return holderOf(entry, this.#leases.has(entry.lease), this.#self);
  }

  async #close(): Promise<void> {
    for (const call of this.#calls.keys()) {
      call.stop(new LockStateError(call.name, `${call.name}: this locker has ended`));
    }
    await Promise.allSettled(this.#calls.values());
    const releasing = [...this.#locks.values()].flatMap((lock) => lock.releasing ?? []);
    if (releasing.length > 0) {
      await Promise.race([Promise.allSettled(releasing), sleep(GRACE, undefined)]);
    }
    for (const lock of this.#locks.values()) lock.lose('its locker was disposed');
    await this.#leases.revoke();
    this.#gateway.close();
  }
}

/** The name as the cluster has it: half a surrogate pair is written as U+FFFD, whichever it was. */
function keyOf(name: string): string {
  return Buffer.from(name).toString();
}

/** What a call rejects with. */
function explain(
  { name, limit, holder = unknownHolder(), failure }: Call,
  error: unknown,
): unknown {
  if (error !== TIMED_OUT) return known(name, error);
  const timeout = new LockTimeoutError(name, holder, limit);
  if (failure === undefined) return timeout;
  return Object.defineProperty(timeout, 'cause', { value: failure, configurable: true });
}

/** The server's own error, unless it means that there can be no locks. */
function known(name: string, error: unknown): unknown {
  const { code, message } = (error ?? {}) as ServerError;
  if (code !== UNSUPPORTED || isLockError(error)) return error;
  return new LockUnsupportedError(name, `${name} cannot be locked: ${message}`, error);
}
