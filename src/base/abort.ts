const callbacks = new WeakMap<AbortSignal, Set<() => void>>();

/** Not `signal.throwIfAborted()`: polyfills may lack it. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw signal.reason;
}

/**
 * Calls `callback` once when `signal` is aborted; the returned function removes
 * it. All callbacks of one signal share one listener: above ten listeners, Node
 * would warn of a leak, and there is no leak.
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (signal === undefined) return () => {};
  let waiting = callbacks.get(signal);
  if (waiting === undefined) {
    waiting = new Set();
    callbacks.set(signal, waiting);
    signal.addEventListener('abort', callAll);
  }
  waiting.add(callback);
  return () => {
    waiting.delete(callback);
    if (waiting.size > 0 || callbacks.get(signal) !== waiting) return;
    callbacks.delete(signal);
    signal.removeEventListener('abort', callAll);
  };
}

/** Aborts with the reason of the first of `signals` to abort; never if there are none. */
export function anyOf(signals: readonly AbortSignal[]): AbortSignal {
  const [only = new AbortController().signal] = signals;
  return signals.length < 2 ? only : AbortSignal.any(signals.map(nativeOf));
}

/** `AbortSignal.any` refuses polyfills. */
function nativeOf(signal: AbortSignal): AbortSignal {
  if (signal instanceof AbortSignal) return signal;
  const controller = new AbortController();
  const abort = (): void => controller.abort((signal as AbortSignal).reason);
  onAbort(signal, abort);
  if ((signal as AbortSignal).aborted) abort();
  return controller.signal;
}

function callAll(event: Event): void {
  const signal = event.target as AbortSignal;
  const waiting = callbacks.get(signal);
  if (waiting === undefined) return;
  callbacks.delete(signal);
  signal.removeEventListener('abort', callAll);
  for (const callback of [...waiting]) if (waiting.delete(callback)) callback();
}
