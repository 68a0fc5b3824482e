import { afterBurst } from '../base/bursts.js';
import type { Holder } from '../base/holder.js';
import type { FilePath } from '../base/paths.js';
import { monotonicTime } from '../base/timers.js';
import { type Answers, Budget, walkSync } from './kernel-tables.js';
import { type KernelView, viewKernel } from './kernel-view.js';
import { readContent } from './lock-file.js';
import type { Content } from './owner-record.js';
import { whilePinned } from './pinned-file.js';
import { inInitialPidNamespace } from './process-identity.js';
import { isInOtherContainer, isOwn } from './running-process.js';

// A refusal waits for the search, and so does all other code on this thread.
const REFUSAL = { descriptors: 500, milliseconds: 50 };

/** Whether the kernel's tables would show every holder. */
export function seesEveryHolder(remote: boolean): boolean {
  return process.platform === 'linux' && !remote && inInitialPidNamespace();
}

/** The holder that the record names. */
export function holderFromRecord(content: Content | null): Holder<object> | null {
  const owner = content?.owner;
  if (owner === null || owner === undefined) return null;
  const inOtherContainer = isInOtherContainer(owner);
  return {
    pid: inOtherContainer ? null : owner.pid,
    self: isOwn(owner),
    source: 'record',
    verified: false,
    inOtherContainer,
    since: owner.since,
    command: null,
    hostname: owner.hostname === '' ? null : owner.hostname,
    data: owner.data,
  };
}

/** The one holder to name in an error. Searches on this thread. */
export function holderOf<T extends object>(path: FilePath): Holder<T> | null {
  const content = readContent(path);
  return nameOne(lookNow(path, content, REFUSAL.milliseconds), content);
}

function lookNow(
  path: FilePath,
  content: Content | null,
  milliseconds: number,
  known?: Answers,
): KernelView | null {
  const budget = new Budget(REFUSAL.descriptors, milliseconds);
  return whilePinned(path, (file) =>
    file === null
      ? null
      : walkSync(viewKernel(file, content, { everyHolder: false, budget }), known),
  );
}

function nameOne<T extends object>(
  view: KernelView | null,
  content: Content | null,
): Holder<T> | null {
  const holder = view?.holders[0] ?? null;
  if (holder !== null && holder.pid !== null) return holder as Holder<T>;
  // The tables show every holder, so the record is an old one.
  if (view !== null && holder === null && inInitialPidNamespace()) return null;
  return (holderFromRecord(content) ?? holder) as Holder<T> | null;
}

/** What was seen while waits ended together. */
interface Burst {
  seen: Map<string, { holder: Holder<object> | null; when: number; number: number }>;
  /** What was read from /proc, since look number `knownSince`. */
  known: Answers;
  knownSince: number;
  /** The time spent on searches. */
  milliseconds: number;
  began: number;
}
let burst: Burst | undefined;
let looks = 0;

/** Counts the looks of all bursts: take it when a wait begins. */
export const looksSoFar = (): number => looks;

// Other code may make a burst long.
const MOMENT_MILLISECONDS = 100;

/**
 * The same for asynchronous waits: thousands can end together, and each error
 * names the holder. They read each table once, waits on one path share a search,
 * and all searches share the time limit of one; after that, errors name the
 * holder from the record. `began` is {@link looksSoFar} at the start of the wait:
 * what was seen before that does not count, since the caller may have changed it.
 */
export function holderInBurst<T extends object>(path: FilePath, began: number): Holder<T> | null {
  const now = monotonicTime();
  const key = typeof path === 'string' ? path : path.toString('latin1');
  burst ??= newBurst(now);
  if (began > burst.knownSince || now - burst.began > MOMENT_MILLISECONDS) {
    burst.known = new Map();
    burst.knownSince = looks;
    burst.began = now;
  }
  let last = burst.seen.get(key);
  const left = REFUSAL.milliseconds - burst.milliseconds;
  const isOld = last !== undefined && left > 0 && now - last.when > MOMENT_MILLISECONDS;
  if (last === undefined || last.number <= began || isOld) {
    const content = readContent(path);
    const view = left > 0 ? lookNow(path, content, left, burst.known) : null;
    looks++;
    last = { holder: nameOne<object>(view, content), when: monotonicTime(), number: looks };
    burst.seen.set(key, last);
    burst.milliseconds += last.when - now;
  }
  const { holder } = last;
  return (holder === null ? null : { ...holder }) as Holder<T> | null;
}

function newBurst(began: number): Burst {
  afterBurst(() => {
    burst = undefined;
  });
  return { seen: new Map(), known: new Map(), knownSince: looks, milliseconds: 0, began };
}
