import { monotonicTime } from '../base/timers.js';
import type { RequestedScopes } from './conflicts.js';
import { isClean } from './git-clean.js';
import type { Place } from './grant.js';
import type { ClaimPart, Found } from './model.js';
import { keepParts } from './release-claim.js';

/** How long its agent must have left an automatic part alone. */
export const UNTOUCHED_MILLISECONDS = 30 * 60_000;
// Asking git starts a process, and the answer seldom changes.
const ASK_AGAIN_MILLISECONDS = 10_000;

/** What the decision is made by. */
export interface PartFacts {
  now: number;
  /** Its files in its tree are those of HEAD. */
  isClean: boolean;
  /** Its agent has called since it was touched: it does not wait in the middle of a write. */
  calledSince: boolean;
}

/**
 * Whether a part of a claim gives way to another agent: a hook claimed it, and
 * its agent appears to have finished with it.
 */
export function givesWay(
  { by, touched, tree }: ClaimPart,
  { now, isClean, calledSince }: PartFacts,
): boolean {
  if (by !== 'hook' || tree === null || touched === null) return false;
  return now - touched.getTime() >= UNTOUCHED_MILLISECONDS && calledSince && isClean;
}

/** A part that may give way. */
export interface Yielding {
  found: Found;
  part: ClaimPart;
}

/**
 * The parts that are in the way of a request, if all of them would give way once
 * they are clean; otherwise none.
 */
export function yieldingParts(
  blockers: readonly Found[],
  requested: RequestedScopes,
  now: number,
): Yielding[] {
  const yielding: Yielding[] = [];
  for (const found of blockers) {
    const parts = found.claim?.parts ?? [];
    for (const part of parts) {
      if (!requested.overlapWith({ parts: [part] })) continue;
      const calledSince = parts.some(({ touched }) => isAfter(touched, part.touched));
      if (!givesWay(part, { now, isClean: true, calledSince })) return [];
      yielding.push({ found, part });
    }
  }
  return yielding;
}

function isAfter(one: Date | null, other: Date | null): boolean {
  return one !== null && other !== null && one > other;
}

/** The parts that give way to one call, from the question for them to the answer. */
export class GivingWay {
  readonly #asked = new Map<string, number>();
  #clean: Yielding[] = [];

  /** Whether all parts in the way give way: the caller looks again, and calls `take` there. */
  async ask(yielding: readonly Yielding[]): Promise<boolean> {
    const now = monotonicTime();
    const isDue = ({ found, part }: Yielding): boolean => {
      const last = this.#asked.get(keyOf(found.agent, part));
      return last === undefined || now - last >= ASK_AGAIN_MILLISECONDS;
    };
    if (yielding.length === 0 || !yielding.some(isDue)) return false;
    for (const { found, part } of yielding) this.#asked.set(keyOf(found.agent, part), now);
    for (const { part } of yielding) if (!(await isClean(part))) return false;
    this.#clean = [...yielding];
    return true;
  }

  /**
   * Takes the parts that were found clean out of their claims, in the exclusive
   * section:
   * 1. A part is found that was not touched for long and is clean.
   * 2. Its agent is about to write to it: its hook touches the part.
   * 3. The part has changed since step 1, so it stays here.
   */
  take(place: Place): void {
    const clean = this.#clean;
    this.#clean = [];
    for (const { found, part } of clean) {
      const current = place.folder.find(found.agent);
      const parts = current?.claim?.parts ?? [];
      // Its other parts stay, also where they have the same paths in another tree.
      const kept = parts.filter((each) => keyOf(found.agent, each) !== keyOf(found.agent, part));
      if (current !== null && kept.length < parts.length) {
        keepParts(place, current, kept, { force: true });
      }
    }
  }
}

function keyOf(agent: string, { patterns, tree, touched }: ClaimPart): string {
  return JSON.stringify([agent, patterns.map(({ pattern }) => pattern), tree, touched?.getTime()]);
}
