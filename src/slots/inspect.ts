import { basename } from 'node:path';
import { pathText } from '../base/paths.js';
import { inspect, inspectFolder, type LockStatus } from '../holders/inspect.js';
import { isQueueName, queuePath, slotOfName, slotPath } from './files.js';
import type { Ground } from './options.js';

/** A slot, and who has it. */
export interface SlotStatus<T extends object = Record<string, unknown>> extends LockStatus<T> {
  /** Which slot it is, from 1 on. */
  number: number;
}

/** What is seen of a folder of slots. For people: never decide by it. */
export interface SlotsStatus<T extends object = Record<string, unknown>> {
  /** The folder, absolute; bytes that are not UTF-8 are replaced. */
  path: string;
  /** Each slot, in the order of their numbers; one that was never taken is `missing`. */
  slots: SlotStatus<T>[];
  /** How many are held, not counting those whose state is not known. */
  taken: number;
  /** The pids of those that wait for a slot, each once, in the order in which they wait. */
  waiters: number[];
}

/** The state of the slots of a folder. */
export async function inspectSlots<T extends object>({
  directory,
  slots,
}: Ground): Promise<SlotsStatus<T>> {
  const seen = await inspectNames<T>(directory);
  const numbers = Array.from({ length: slots }, (_, index) => index + 1);
  const raw: SlotStatus<T>[] = [];
  for (const number of numbers) {
    const path = slotPath(directory, number);
    // Not seen: it is missing, or of a kind that is not listed.
    const status = seen.get(basename(pathText(path))) ?? (await inspect<T>(path));
    raw.push({ ...status, number });
  }
  const queue = seen.get(basename(pathText(queuePath(directory)))) ?? null;
  const first = queue === null ? [] : firstOf(queue, raw);
  return {
    path: pathText(directory),
    slots: raw.map((status) => withoutFirst(status, first)),
    taken: raw.filter(({ state }) => state === 'held').length,
    // Some wait for a slot and not for the queue: its file has been replaced.
    waiters: [
      ...new Set([...first, ...(queue?.waiters ?? []), ...raw.flatMap(({ waiters }) => waiters)]),
    ],
  };
}

async function inspectNames<T extends object>(
  directory: Ground['directory'],
): Promise<Map<string, LockStatus<T>>> {
  const seen = new Map<string, LockStatus<T>>();
  try {
    for await (const status of inspectFolder<T>(directory as string)) {
      seen.set(basename(status.path), status);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return seen;
}

export function isQueue(path: string): boolean {
  return isQueueName(basename(path));
}

/**
 * Takes the statuses of the files in a folder. In a folder of slots, counts each
 * waiter once: the first in line holds the queue and waits for every slot. It
 * becomes the first waiter of the queue, and of no slot.
 */
export function countOnce<S extends LockStatus>(statuses: readonly S[]): S[] {
  const queue = statuses.find(({ path }) => isQueue(path));
  const slots = statuses.filter(({ path }) => slotOfName(basename(path)) !== null);
  const first = queue === undefined ? [] : firstOf(queue, slots);
  if (first.length === 0) return [...statuses];
  return statuses.map((status) => {
    if (status === queue) return { ...status, waiters: [...first, ...status.waiters] };
    return slots.includes(status) ? withoutFirst(status, first) : status;
  });
}

/** The first in line, which holds the queue and waits for a slot; empty: there is none. */
function firstOf(queue: LockStatus, slots: readonly LockStatus[]): number[] {
  const holders = queue.holders.flatMap(({ pid }) => pid ?? []);
  return holders.filter((pid) => slots.some(({ waiters }) => waiters.includes(pid)));
}

function withoutFirst<S extends LockStatus>(status: S, first: readonly number[]): S {
  return { ...status, waiters: status.waiters.filter((pid) => !first.includes(pid)) };
}
