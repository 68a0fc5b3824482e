import { constants } from 'node:os';
import { isMainThread } from 'node:worker_threads';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

// Marks the listeners of all copies of the package: none of them is the
// program's own.
const OURS = Symbol.for('holdfast.signalListener');

interface Releasable {
  releaseSync(): void;
}

const held = new Set<Releasable>();

/**
 * Releases `lock` when a signal is about to end the process. Listeners exist
 * only while there is such a lock, and not in worker threads, which get no
 * signals.
 */
export function releaseOnSignals(lock: Releasable): void {
  if (!isMainThread) return;
  // Listen first: a `once` listener of the program has been removed when later
  // listeners look for it.
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
 * Releases the locks, then lets the signal end the process, as in a program
 * without a handler. If the program has a handler of its own, that handler
 * decides what the signal means, and this releases nothing.
 */
function onSignal(signal: NodeJS.Signals): void {
  const others = process.listeners(signal).filter((listener) => listener !== onSignal);
  const foreign = others.filter((listener) => !(OURS in listener));
  if (foreign.length !== signalExits()) return;
  for (const lock of [...held]) {
    try {
      lock.releaseSync();
    } catch {
      // The process ends next, and the kernel releases what is left.
    }
  }
  held.clear();
  stopListening();
  // Another copy of the package has locks to release, too; it ends the process.
  if (others.length > 0) return;
  const code = 128 + constants.signals[signal];
  // Process 1 of a container ignores signals that it sends to itself.
  if (process.pid !== 1) process.kill(process.pid, signal);
  process.exit(code);
}
Object.defineProperty(onSignal, OURS, { value: true });

/**
 * How many listeners the package signal-exit has. They do not decide what the
 * signal means: each of them counts the listeners, including ours.
 */
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
