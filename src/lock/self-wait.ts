import { AsyncLocalStorage } from 'node:async_hooks';
import { clearTimeout, setTimeout } from 'node:timers';
import { emitHoldfastWarning } from '../base/warning.js';
import type { NativeBinding } from '../native/binding.js';
import type { Wait } from './waiting.js';

/** A lock that is held around the code that runs. */
export interface Around {
  native: NativeBinding;
  id: number;
}

const WARN_MILLISECONDS = 1000;
const MOST_FRAMES = 50;

// The locks around the code that runs. Not made, and nothing of it at work in
// the runtime, before the first lock that is held around something.
let around: AsyncLocalStorage<readonly Around[]> | undefined;
let running = 0;

/** Runs `body`, and whatever comes of it, with a lock held around it. */
export async function runInside<R>({ native, id }: Around, body: () => R | Promise<R>): Promise<R> {
  around ??= new AsyncLocalStorage();
  // A context may live on, and be that of the next lock, and so on: it keeps no
  // more than what is held.
  const held = (around.getStore() ?? []).filter((each) => isOf(each, each.id));
  running++;
  try {
    return await around.run([...held, { native, id }], body);
  } finally {
    // As long as it is at work, Node before 24 makes every promise of the
    // program four times as dear.
    if (--running === 0) around.disable();
  }
}

/** A dead id is of no file. */
function isOf({ native, id }: Around, other: number): boolean {
  return native.sameFile(id, other);
}

/**
 * Warns, once it has waited for a second, where code waits for a lock that is
 * held around it: if what holds it waits for this in turn, it never ends. To be
 * called by those who start to wait, whose callers are still to be seen; the
 * result puts an end to it.
 */
export function watchForItself({ id, path }: Wait): () => void {
  const holder = around?.getStore()?.find((each) => isOf(each, id));
  if (holder === undefined) return () => {};
  const callers = callersNow();
  const timer = setTimeout(() => {
    if (isOf(holder, id)) warn(path, callers);
  }, WARN_MILLISECONDS).unref();
  return () => clearTimeout(timer);
}

/**
 * With those that await: so also where the outer lock was taken. Looked for
 * here, and not whenever a lock is taken, which it would take half as long again.
 */
function callersNow(): string[] {
  const limit = Error.stackTraceLimit;
  // Without an error where Error is frozen.
  Reflect.set(Error, 'stackTraceLimit', MOST_FRAMES);
  const { stack } = new Error();
  Reflect.set(Error, 'stackTraceLimit', limit);
  // Programs that map sources may have made anything of it.
  return String(stack)
    .split('\n')
    .filter((line) => /^\s+at /.test(line));
}

function warn(path: string, callers: string[]): void {
  emitHoldfastWarning(
    'HOLDFAST_WAITS_FOR_ITSELF',
    `${path} is waited for inside a call that holds it, such as withLock(): if that one waits for this, neither ever ends`,
    ['The inner call, and below it the outer:', ...callers].join('\n'),
  );
}
