import { AsyncLocalStorage } from 'node:async_hooks';
import { clearTimeout, setTimeout } from 'node:timers';
import type { Callers } from '../base/callers.js';
import { pathText } from '../base/paths.js';
import { emitHoldfastWarning } from '../base/warning.js';
import type { NativeBinding } from '../native/binding.js';
import type { Listener, Wait } from './wait.js';

/** A lock that is held around the code that runs. */
export interface Around {
  native: NativeBinding;
  id: number;
}

const WARN_MILLISECONDS = 1000;

// The locks around the code that runs. Not created before the first lock that
// is held around something, so that the runtime does not pay for it.
let around: AsyncLocalStorage<readonly Around[]> | undefined;
let running = 0;

/** Runs `body`, and the promises it starts, with a lock held around it. */
export async function runInside<R>({ native, id }: Around, body: () => R | Promise<R>): Promise<R> {
  around ??= new AsyncLocalStorage();
  // A context may live on and become the context of the next lock, and so on.
  // It keeps only the locks that are still held.
  const held = (around.getStore() ?? []).filter((each) => isOf(each, each.id));
  running++;
  try {
    return await around.run([...held, { native, id }], body);
  } finally {
    // While it is enabled, every promise of the program costs four times as
    // much on Node before 24.
    if (--running === 0) around.disable();
  }
}

/** False for an id that is dead. */
function isOf({ native, id }: Around, other: number): boolean {
  return native.sameFile(id, other);
}

/**
 * Warns after a second where code waits for a lock that is held around it: if
 * the holder waits for this code in turn, neither ends. Call it on starting to
 * wait, in the context of the callers; the wait tells the result.
 */
export function watchForItself<R>(
  { file }: Wait,
  callers: Callers,
  listener: Listener<R>,
): Listener<R> {
  const holder = around?.getStore()?.find((each) => isOf(each, file.id));
  if (holder === undefined) return listener;
  const timer = setTimeout(() => {
    if (isOf(holder, file.id)) warn(pathText(file.path), callers.lines);
  }, WARN_MILLISECONDS).unref();
  return {
    ended(result, status) {
      clearTimeout(timer);
      listener.ended(result, status);
    },
    failed(error) {
      clearTimeout(timer);
      listener.failed(error);
    },
  };
}

function warn(path: string, callers: string[]): void {
  emitHoldfastWarning(
    'HOLDFAST_WAITS_FOR_ITSELF',
    `${path} is waited for inside a call that holds it, such as withLock(): if that one waits for this, neither ever ends`,
    ['The inner call, and below it the outer:', ...callers].join('\n'),
  );
}
