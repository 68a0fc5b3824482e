import { constants } from 'node:os';
import { isMainThread } from 'node:worker_threads';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

// Known across copies of the package: their listeners are none of the
// program's own.
const OURS = Symbol.for('holdfast.signalListener');

interface Releasable {
  releaseSync(): void;
}

const held = new Set<Releasable>();

/**
 * Releases `lock` when a signal is about to end the process. Listeners exist
 * only as long as there is such a lock, and not in worker threads, which get
 * no signals.
 */
export function releaseOnSignals(lock: Releasable): void {
  if (!isMainThread) return;
  // First in line: a `once` listener of the program's is gone when those behind
  // it look for it.
  for (const signal of SIGNALS) {
    if (!process.listeners(signal).includes(onSignal)) process.prependListener(signal, onSignal);
  }
  held.add(lock);
}

export function forgetSignals(lock: Releasable): void {
  if (held.delete(lock) && held.size === 0) stopListening();
}

function stopListening(): void {
  for (const signal of SIGNALS) process.removeListener(signal, onSignal);
}

/**
 * Dies of the signal as a program without a handler does, having cleaned up
 * first. With a handler of the program's own, that one decides what the signal
 * means, and nothing is released here.
 */
function onSignal(signal: NodeJS.Signals): void {
  const others = process.listeners(signal).filter((listener) => listener !== onSignal);
  const foreign = others.filter((listener) => !(OURS in listener));
  if (foreign.length !== signalExits()) return;
  for (const lock of [...held]) {
    try {
      lock.releaseSync();
    } catch {
      // Dying is the next step; the kernel releases what is left.
    }
  }
  held.clear();
  stopListening();
  // Another copy of the package has something to clean up as well.
  if (others.length > 0) return;
  const code = 128 + constants.signals[signal];
  // The first process of a container ignores what it sends to itself.
  if (process.pid !== 1) process.kill(process.pid, signal);
  process.exit(code);
}
Object.defineProperty(onSignal, OURS, { value: true });

/** signal-exit's listeners decide nothing; each counts the others, ours too. */
function signalExits(): number {
  const emitters = [
    (process as unknown as Record<string, { count?: unknown } | undefined>)[
      '__signal_exit_emitter__'
    ],
    (globalThis as Record<symbol, { count?: unknown } | undefined>)[
      Symbol.for('signal-exit emitter')
    ],
  ];
  return emitters.reduce((sum, emitter) => sum + (Number(emitter?.count) || 0), 0);
}
