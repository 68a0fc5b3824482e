import { setImmediate } from 'node:timers';
import { monotonicTime } from './timers.js';

// Thousands of waits can end in one turn of the event loop, and each end takes
// some time: the program's own code must get its turn in between.
const SLICE_MILLISECONDS = 10;

const settled = Promise.resolve();

let later: (() => void)[] = [];

/**
 * Runs `work` after the promise reactions that are due now. One reaction for
 * all: it takes a third of the time of `queueMicrotask`, which makes an object
 * for async_hooks.
 */
export function afterReactions(work: () => void): void {
  if (later.push(work) === 1) settled.then(runLater);
}

function runLater(): void {
  const works = later;
  later = [];
  for (const work of works) work();
}

let queue: (() => void)[] = [];
let ends: (() => void)[] = [];
let isBurst = false;
let sliceBegan = 0;

/** Runs `work` now, or in a later turn if this one has had its share of such work. */
export function inBurst(work: () => void): void {
  if (!isBurst) begin();
  if (queue.length === 0 && monotonicTime() - sliceBegan < SLICE_MILLISECONDS) work();
  else queue.push(work);
}

/** Calls `callback` once no such work is left, and not in this turn. */
export function afterBurst(callback: () => void): void {
  if (!isBurst) begin();
  ends.push(callback);
}

function begin(): void {
  isBurst = true;
  sliceBegan = monotonicTime();
  setImmediate(nextSlice);
}

function nextSlice(): void {
  sliceBegan = monotonicTime();
  const works = queue;
  queue = [];
  let done = 0;
  try {
    while (done < works.length && monotonicTime() - sliceBegan < SLICE_MILLISECONDS) {
      works[done++]?.();
    }
  } finally {
    // Also if the program's own code threw: formatting an error's stack may run
    // it.
    queue = [...works.slice(done), ...queue];
    if (queue.length > 0) setImmediate(nextSlice);
    else endBurst();
  }
}

function endBurst(): void {
  isBurst = false;
  const callbacks = ends;
  ends = [];
  for (const callback of callbacks) callback();
}
