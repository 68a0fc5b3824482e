import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { RequestedScopes } from './conflicts.js';
import type { ClaimsFolder } from './folder.js';
import type { Claimed, Found, Wanted } from './model.js';
import { prefilter } from './prefilter.js';
import { behindWaiter } from './resolutions.js';
import { patternsOf } from './scope.js';
import { isLive } from './states.js';
import { claimed } from './status.js';
import type { Conflict } from './types.js';
import { type FoundWant, OwnWant, type WantedScope, WantFiles } from './want-file.js';
import { agentsOf, type ParentOf, Waits, type Want } from './wants.js';

/**
 * The place of one call among those that wait in a folder. Call `look`,
 * `stoppedBy` and `enter` in one exclusive section, in this order.
 */
export class Queue {
  readonly #folder: ClaimsFolder;
  readonly #wanted: readonly Wanted[];
  readonly #files: WantFiles;
  #own: OwnWant | null = null;
  #since: Date | undefined;
  #others: FoundWant[] = [];
  #ahead: FoundWant | null = null;
  #circle: string[] = [];
  #isQuiet = false;

  constructor(folder: ClaimsFolder, wanted: readonly Wanted[]) {
    this.#folder = folder;
    this.#wanted = wanted;
    this.#files = new WantFiles(folder.path, folder.root);
  }

  /**
   * The want to wait for, or `null`. Of those that stop this one it is the
   * youngest: all of them have to go, and so each end wakes one waiter, not all
   * that are behind it.
   */
  get ahead(): FoundWant | null {
    return this.#ahead;
  }

  /** The agents of a circle that this want has to end; empty if there is none. */
  get circle(): readonly string[] {
    return this.#circle;
  }

  /**
   * Whether nobody waits for its agents, so that no circle goes through them,
   * and only a claim of theirs can change that: who comes later to wait is
   * younger, and the youngest has to end a circle. With a hundred waiters,
   * reading the folder at each other change would use all of its time.
   */
  get isQuiet(): boolean {
    return this.#isQuiet;
  }

  /** The names of its agents' claims. */
  get ownFiles(): string[] {
    return this.#wanted.map(({ agent }) => basename(this.#folder.fileOf(agent)));
  }

  /** Changes when a claim is made or removed, for systems that report no changes. */
  stamp(): string {
    return stampOf(this.#folder.path);
  }

  /** Shows that this waiter runs. False: it has lost its place. */
  touch(): boolean {
    return this.#own?.touch() !== false;
  }

  /** Reads who waits. */
  look(): void {
    if (!this.touch()) this.leave();
    this.#others = this.#files.read({ own: this.#own?.file ?? null, exclusive: true });
  }

  /**
   * The conflicts with older wants that stop this one. `blockers`: the claims in
   * its way. If there are any it waits for these, and only what it is worth to
   * wait for and a circle are found out.
   */
  stoppedBy(blockers: readonly Found[], { waits }: { waits: boolean }): Conflict[] {
    this.#ahead = null;
    this.#circle = [];
    this.#isQuiet = true;
    if (blockers.length > 0 && !waits) return [];
    // Whoever comes later is younger. Only a call for several agents closes a circle
    // alone: it is for a child of the agent that another of its agents waits for.
    if (this.#others.length === 0 && this.#wanted.length === 1) return [];
    const order = this.#own?.order ?? Number.POSITIVE_INFINITY;
    const older = this.#others.filter((each) => each.order < order);
    const nearest = this.#nearestOf(older);
    this.#isQuiet = !this.#mayBeWaitedFor();
    if (blockers.length > 0 ? this.#isQuiet : nearest === null) {
      // Nobody waits for these agents, so no circle goes through them; and no
      // older want has to let them pass.
      this.#ahead = nearest;
      return [];
    }
    return this.#decide(older, this.#others.slice(older.length));
  }

  #decide(older: readonly FoundWant[], younger: readonly FoundWant[]): Conflict[] {
    const own: Want = { requests: this.#wanted, stale: false };
    const all = [...older, own, ...younger];
    const { holders, parentOf } = holdersFor(this.#folder, all);
    const waits = new Waits(all, holders, parentOf);
    const at = older.length;
    this.#circle = waits.circle(at) ?? [];
    // All of them are older, so none is our own.
    const stopping = waits.stoppedBy(at) as FoundWant[];
    this.#ahead = stopping.at(-1) ?? null;
    const requested = new RequestedScopes(this.#wanted);
    return stopping.flatMap((want) =>
      want.requests.flatMap((each) => requested.conflictsWith(each).map(behindWaiter)),
    );
  }

  /** The youngest of the older ones that overlaps and is looked after. */
  #nearestOf(older: readonly FoundWant[]): FoundWant | null {
    const requested = new RequestedScopes(this.#wanted);
    const agents = new Set(agentsOf({ requests: this.#wanted }));
    const meets = (each: WantedScope): boolean =>
      !agents.has(each.agent) && requested.overlapWith(each);
    return older.findLast(({ stale, requests }) => !stale && requests.some(meets)) ?? null;
  }

  /** Whether one of its agents has anything that others could wait for. */
  #mayBeWaitedFor(): boolean {
    const others = new Set(this.#others.flatMap(agentsOf));
    return this.#wanted.some(
      (each) =>
        others.has(each.agent) || parentIn(each) !== null || this.#folder.find(each.agent) !== null,
    );
  }

  /** Takes a place at the end, unless it has one. */
  enter(): void {
    this.#since ??= new Date();
    this.#own ??= new OwnWant(
      this.#folder.path,
      this.#files.nextOrder(),
      this.#wanted,
      this.#since,
    );
  }

  /** Gives up its place. A second call does nothing. */
  leave(): void {
    this.#own?.leave();
    this.#own = null;
  }
}

/** What the rules need to know of the claims in a folder. Call it in a section. */
export function holdersFor(
  folder: ClaimsFolder,
  wants: readonly { requests: readonly Claimed[] }[],
): { holders: Claimed[]; parentOf: ParentOf } {
  const requests = wants.flatMap((each) => each.requests);
  const mayOverlap = prefilter(requests.flatMap(patternsOf), folder.root);
  // Also what overlaps with nothing, if it says who works for whom.
  const isRelevant =
    mayOverlap && ((_: string, text: string) => mayOverlap(text) || text.includes('"parent"'));
  const holders: Claimed[] = [];
  const parents = new Map<string, string>();
  for (const each of requests) {
    const parent = parentIn(each);
    if (parent !== null) parents.set(each.agent, parent);
  }
  for (const found of folder.each(isRelevant)) {
    if (found.claim === null || !isLive(found.state)) continue;
    holders.push(claimed(found));
    const { parent } = found.claim;
    if (parent !== null) parents.set(found.agent, parent);
  }
  return { holders, parentOf: (agent) => parents.get(agent) ?? null };
}

function parentIn(request: Claimed): string | null {
  return (request as Partial<WantedScope>).parent ?? null;
}

/** Changes with a file, or with what is in a folder. */
export function stampOf(path: string): string {
  const { ino, size, mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? {};
  return `${ino} ${size} ${mtimeMs}`;
}
