import { type FilePath, joinPath } from '../base/paths.js';

const QUEUE = 'queue.lock';

/** Its holder is first in line for a slot; the others wait for this lock. */
export function queuePath(directory: FilePath): FilePath {
  return joinPath(directory, QUEUE);
}

/** Slots are numbered from 1. */
export function slotPath(directory: FilePath, number: number): FilePath {
  return joinPath(directory, `${number}.lock`);
}

export function isQueueName(name: string): boolean {
  return name === QUEUE;
}

/** The number of the slot whose file has this name; `null`: it is not a slot. */
export function slotOfName(name: string): number | null {
  const digits = /^([1-9]\d{0,2})\.lock$/.exec(name)?.[1];
  return digits === undefined ? null : Number(digits);
}
