import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { clearInterval, setInterval, setTimeout } from 'node:timers';
import {
  argumentError,
  checkBoolean,
  checkFunction,
  checkMilliseconds,
  checkOptions,
  checkPath,
  checkSignal,
  optionNames,
} from '../base/arguments.js';
import { LockLostError } from '../base/errors.js';
import { printable } from '../base/holder.js';
import { ownIdentity } from '../holders/process-identity.js';
import { LOOK_MILLISECONDS, NextChange, watchFolder } from './changes.js';
import { type Claim, checkTtl, claimOf, expiryAfter, inside } from './claim.js';
import { CLAIM_LIMIT, type ClaimFile, checkAgent, formatClaim } from './claim-file.js';
import { type Claimed, conflictsAmong, Wishes } from './conflicts.js';
import { ClaimConflictError, ClaimInvalidError, describeWitness } from './errors.js';
import { ClaimsFolder, type Found, GRACE_MILLISECONDS } from './folder.js';
import { defaultRoot, findRoot, parsePattern, plainPath, type Root } from './pattern.js';
import { makePlan } from './plan.js';
import { checkRequests, type Wanted } from './request.js';
import { isCovered, ScopeIndex } from './scope.js';
import { checkStatuses, claimed, claimedBy, heldByAnother, isForeign, statusOf } from './status.js';
import type { ClaimRequest, ClaimStatus, Conflict, PathVerdict, Plan } from './types.js';

export interface ClaimOptions {
  /**
   * Milliseconds, 0 to Infinity: how long to wait until what overlaps is
   * released, expires or is left by its process. Default 0.
   */
  timeout?: number | undefined;
  /** Ends the wait: rejects with `signal.reason`, unchanged. */
  signal?: AbortSignal | undefined;
  /** Called once, when it turns out that it must wait. What it throws ends the wait. */
  onWait?: ((conflicts: Conflict[]) => void) | undefined;
  /** Default `false`: with a file in the folder that is no valid claim, nothing is granted. */
  ignoreInvalid?: boolean | undefined;
}

const CLAIM_OPTIONS = optionNames<ClaimOptions>({
  timeout: true,
  signal: true,
  onWait: true,
  ignoreInvalid: true,
});
const CLAIMS_OPTIONS = new Set(['root']);
const CHECK_OPTIONS = new Set(['as', 'ignoreInvalid']);
const PLAN_OPTIONS = new Set(['existing']);
const RELEASE_OPTIONS = new Set(['force']);
const WATCH_OPTIONS = new Set(['signal']);

interface Decision {
  claims: Claim[];
  conflicts: Conflict[];
  /** What is in the way. */
  blockers: Found[];
}

/** Waits in the kernel take a thread each; beyond these it is looked each second. */
const MOST_KERNEL_WAITS = 16;

// For the command, not for users.
/** Takes what is else a process warning. */
export let reportTo: (claims: Claims, report: (message: string) => void) => void;
/** Renews an active claim by its agent's name. */
export let renewAgent: (claims: Claims, agent: string, ttl: number) => Promise<Date>;

/**
 * The claims of one workflow: which agent may change which files of a tree.
 * They bind those who ask; nothing stops a program that writes without.
 *
 * Decisions are atomic across processes. An unbound claim lives by the clock,
 * so an owner that is stopped for longer than its ttl runs on without it, as
 * its `signal` tells.
 */
export class Claims {
  /** The folder with the claims' files, absolute. */
  readonly directory: string;
  /** What paths are relative to, absolute. */
  readonly root: string;
  #report: (message: string) => void = warn;
  readonly #live = new Map<string, Claim>();
  #rootFound: Root | undefined;
  #folderFound: ClaimsFolder | undefined;
  #monitor: (() => void) | undefined;

  static {
    reportTo = (claims, report) => {
      claims.#report = report;
    };
    renewAgent = (claims, agent, ttl) => claims.#renewAgent(agent, ttl);
  }

  /**
   * `root`: default the git top level of `directory`, else the working
   * directory. Nothing is made or read until it is needed.
   */
  constructor(directory: string | URL, options?: { root?: string | URL | undefined }) {
    const { root } = checkOptions(options, CLAIMS_OPTIONS);
    this.directory = checkPath(directory, 'directory');
    this.root = root === undefined ? defaultRoot(this.directory) : checkPath(root, 'options.root');
  }

  get #root(): Root {
    this.#rootFound ??= findRoot(this.root);
    return this.#rootFound;
  }

  get #folder(): ClaimsFolder {
    this.#folderFound ??= new ClaimsFolder(this.directory, this.#root);
    return this.#folderFound;
  }

  /**
   * Claims a scope. An earlier claim of the same agent is replaced, and stands
   * if this one is refused.
   *
   * Rejects with `ERR_CLAIM_CONFLICT` (at once, or after `timeout`),
   * `ERR_CLAIM_INVALID`, `signal.reason`, an argument error, or a system error;
   * `ERR_LOCK_TIMEOUT` if somebody was stopped in the middle of a decision.
   */
  async claim(request: ClaimRequest, options?: ClaimOptions): Promise<Claim> {
    const [claim] = await this.#acquire(checkRequests([request], this.#root, 'claim'), options);
    return claim as Claim;
  }

  /** Claims all scopes or none. Those that overlap among themselves are refused at once. */
  async claimAll(requests: ClaimRequest[], options?: ClaimOptions): Promise<Claim[]> {
    return this.#acquire(checkRequests(requests, this.#root, 'claimAll'), options);
  }

  async #acquire(wanted: Wanted[], options: ClaimOptions | undefined): Promise<Claim[]> {
    const checked = checkOptions(options, CLAIM_OPTIONS);
    const timeout = checkMilliseconds(checked.timeout, 'options.timeout', 0);
    const signal = checkSignal(checked.signal);
    const onWait = checkFunction(checked.onWait, 'options.onWait');
    const ignoreInvalid = checkBoolean(checked.ignoreInvalid, 'options.ignoreInvalid', false);
    if (signal?.aborted === true) throw signal.reason;
    const among = conflictsAmong(wanted, []);
    if (among.length > 0) throw new ClaimConflictError(this.directory, among, 0);
    if (wanted.length === 0) return [];
    let began: number | null = null;
    let next: NextChange | null = null;
    try {
      for (;;) {
        const { claims, conflicts, blockers } = await this.#folder.alone(
          () => this.#decide(wanted, ignoreInvalid),
          { signal, undo: ({ claims }) => claims.forEach((each) => void this.#undo(each)) },
        );
        if (conflicts.length === 0) return claims;
        const waited = began === null ? 0 : performance.now() - began;
        if (waited >= timeout) {
          throw new ClaimConflictError(this.directory, conflicts, Math.round(waited));
        }
        if (began === null) {
          began = performance.now();
          onWait?.(conflicts);
        }
        // Watched before the look that is to be followed by a wait.
        if (next !== null) {
          await next.wait(until(blockers, timeout - waited), lockedFiles(blockers), signal);
        }
        next = new NextChange(this.directory);
      }
    } finally {
      next?.close();
    }
  }

  /** Alone in the folder: grants all, or says what is in the way. */
  #decide(wanted: Wanted[], ignoreInvalid: boolean): Decision {
    const agents = new Set(wanted.map(({ agent }) => agent));
    const wishes = new Wishes(wanted);
    const invalid: Found[] = [];
    const conflicts: Conflict[] = [];
    const blockers: Found[] = [];
    const ended: Found[] = [];
    const known = new Set<string>();
    for (const found of this.#folder.each()) {
      known.add(found.agent);
      const isOwn = agents.has(found.agent);
      if (found.claim === null) {
        if (!ignoreInvalid || isOwn) invalid.push(found);
      } else if (isOwn) {
        // To be replaced.
      } else if (found.state !== 'active') {
        if (wishes.isMetBy(found.claim)) ended.push(found);
      } else {
        const met = wishes.conflictsWith(claimed(found));
        conflicts.push(...met);
        if (met.length > 0) blockers.push(found);
      }
    }
    if (invalid.length > 0) throw this.#invalid(invalid);
    if (conflicts.length > 0) return { claims: [], conflicts, blockers };
    // First, for one of them may have the very file of a claim that is wanted.
    for (const each of ended) this.#overwrite(each);
    this.#checkNames(wanted, known);
    return { claims: this.#write(wanted), conflicts, blockers };
  }

  /** It may have been written into a folder whose lock was not ours. */
  #undo(claim: Claim): void {
    const found = this.#folder.find(claim.agent);
    if (found !== null && inside(claim).wrote(found)) this.#folder.remove(found.file);
    inside(claim).forget();
  }

  #write(wanted: Wanted[]): Claim[] {
    const now = Date.now();
    const { pid, start } = ownIdentity();
    const contents = wanted.map(({ agent, patterns, except, task, ttl, bind }) => ({
      agent,
      patterns,
      except,
      task,
      id: randomUUID(),
      lockedAt: new Date(Math.floor(now / 1000) * 1000),
      expiresAt: expiryAfter(now, ttl),
      bound: bind ? { pid, start } : null,
    }));
    const texts = contents.map(formatClaim);
    const tooLong = texts.findIndex((text) => Buffer.byteLength(text) > CLAIM_LIMIT);
    if (tooLong >= 0) {
      const what = `at most ${CLAIM_LIMIT} bytes as a claim's file`;
      throw argumentError('ERR_OUT_OF_RANGE', 'request', what, texts[tooLong]);
    }
    const drafts = wanted.map(({ agent, bind }, at) => ({
      agent,
      bind,
      text: texts[at] as string,
    }));
    const locks = this.#folder.write(drafts);
    return wanted.map(({ agent, ttl, keepAlive }, at) => {
      const old = this.#live.get(agent);
      const claim = claimOf({
        folder: this.#folder,
        file: this.#folder.fileOf(agent),
        claim: contents[at] as Omit<ClaimFile, 'fields'>,
        lock: locks[at] ?? null,
        ttl,
        keepAlive,
        ended: (ended) => this.#forget(ended),
      });
      this.#live.set(agent, claim);
      if (old !== undefined) inside(old).lose('its agent has claimed anew');
      this.#watchLive();
      return claim;
    });
  }

  /** One that has ended and is in the way goes, with a warning where the clock ended it. */
  #overwrite({ agent, file, state }: Found): void {
    this.#folder.remove(file);
    if (state === 'expired') this.#report(`Overwriting expired lock for ${printable(agent)}`);
  }

  /**
   * Whose each path is: literal paths, relative to the root or absolute below
   * it; one that ends in `/` is a folder with all below it. `mine` are those
   * that the claim of `as` has and no other. Rejects with `ERR_CLAIM_INVALID` where a
   * path would be nobody's and a file in the folder is no valid claim.
   */
  async check(
    paths: string[],
    options?: { as?: string | undefined; ignoreInvalid?: boolean | undefined },
  ): Promise<PathVerdict[]> {
    const { as, ignoreInvalid } = checkOptions(options, CHECK_OPTIONS);
    const ignoring = checkBoolean(ignoreInvalid, 'options.ignoreInvalid', false);
    if (as !== undefined && typeof as !== 'string') {
      throw argumentError('ERR_INVALID_ARG_TYPE', 'options.as', 'a string', as);
    }
    if (!Array.isArray(paths)) {
      throw argumentError('ERR_INVALID_ARG_TYPE', 'paths', 'an array', paths);
    }
    const patterns = paths.map((path, at) =>
      parsePattern(path, 'file', this.#root, `paths[${at}]`, 'path'),
    );
    const found = (await this.#folder.beside(() => this.#folder.read())) ?? [];
    const index = new ScopeIndex<Claimed & { found: Found }>();
    for (const each of found) {
      if (each.state === 'active') index.add({ ...claimed(each), found: each });
    }
    const verdicts = patterns.map((pattern): PathVerdict => {
      const met = [...index.meetings({ patterns: [pattern], except: [] }, () => true)];
      const path = plainPath(pattern);
      const first = met.find(({ scope }) => scope.agent !== as) ?? met[0];
      const isOther = first !== undefined && first.scope.agent !== as;
      // Of a folder a part may be claimed, and the rest nobody's.
      if (first === undefined || !(isOther || isCovered(pattern, first.scope))) {
        return { path, verdict: 'unclaimed', owner: null, matchedBy: null };
      }
      return {
        path,
        verdict: isOther ? 'other' : 'mine',
        owner: statusOf(first.scope.found),
        matchedBy: first.other.pattern,
      };
    });
    const invalid = found.filter(({ state }) => state === 'invalid');
    if (!ignoring && invalid.length > 0 && verdicts.some((each) => each.verdict === 'unclaimed')) {
      throw this.#invalid(invalid);
    }
    return verdicts;
  }

  /** Overlaps among active claims: there are none unless others wrote them by hand. */
  async audit(): Promise<Conflict[]> {
    const found = (await this.#folder.beside(() => this.#folder.read())) ?? [];
    const active = found.filter(({ state }) => state === 'active').map(claimed);
    return conflictsAmong(active, []);
  }

  /**
   * Which agents can work at the same time: waves, as few as possible (the
   * fewest where at most 16 requests hang together), and for each conflict what
   * to do about it. Nothing is read or written. A request without a scope fits
   * into every wave. Who overlaps with one of `existing` is not in
   * the first, unless nobody else is.
   */
  plan(requests: ClaimRequest[], options?: { existing?: ClaimStatus[] | undefined }): Plan {
    const { existing = [] } = checkOptions(options, PLAN_OPTIONS);
    const wanted = checkRequests(requests, this.#root, 'plan');
    const active = checkStatuses(existing)
      .filter(({ state }) => state === 'active' || state === 'conflicting')
      .map((status) => claimedBy(status, this.#root));
    return makePlan(wanted, active);
  }

  /** All claims, by name. */
  async list(): Promise<ClaimStatus[]> {
    const found = (await this.#folder.beside(() => this.#folder.read())) ?? [];
    const active = found.filter(({ state }) => state === 'active').map(claimed);
    const reasons = new Map<string, string>();
    for (const { agents, witness } of conflictsAmong(active, [])) {
      const [one, other] = agents;
      reasons.set(one, `overlaps with ${other}: ${describeWitness(witness)}`);
      reasons.set(other, `overlaps with ${one}: ${describeWitness(witness)}`);
    }
    return found.map((each) => {
      const reason = reasons.get(each.agent);
      const status = statusOf(each);
      return reason === undefined ? status : { ...status, state: 'conflicting', reason };
    });
  }

  /**
   * Removes the claim of an agent. False: there is none. A bound claim that
   * another process holds is `ERR_LOCK_HELD` without `force`; a file that is
   * no valid claim is never removed: `ERR_CLAIM_INVALID`.
   */
  async release(agent: string, options?: { force?: boolean | undefined }): Promise<boolean> {
    const { force: asked } = checkOptions(options, RELEASE_OPTIONS);
    const force = checkBoolean(asked, 'options.force', false);
    checkAgent(agent, 'agent');
    const released = await this.#folder.aloneIfThere(() => {
      const found = this.#folder.find(agent);
      if (found === null) return false;
      if (found.state === 'invalid') throw this.#invalid([found]);
      if (!force && isForeign(found)) throw heldByAnother(found);
      return this.#remove(found);
    });
    return released === true;
  }

  /**
   * Removes all claims but invalid ones: the end of a workflow. Where other
   * processes hold bound claims, these stay without `force`, the rest goes,
   * and it rejects with `ERR_LOCK_HELD`.
   */
  async releaseAll(options?: { force?: boolean | undefined }): Promise<void> {
    const { force: asked } = checkOptions(options, RELEASE_OPTIONS);
    const force = checkBoolean(asked, 'options.force', false);
    await this.#folder.aloneIfThere(() => {
      const found = this.#folder.read().filter(({ state }) => state !== 'invalid');
      const kept = force ? [] : found.filter(isForeign);
      for (const each of found) if (!kept.includes(each)) this.#remove(each);
      if (kept[0] !== undefined) throw heldByAnother(kept[0]);
    });
  }

  /** Removes expired and orphaned claims, and tells which. */
  async prune(): Promise<ClaimStatus[]> {
    const pruned = await this.#folder.aloneIfThere(() => {
      const ended = this.#folder
        .read()
        .filter(({ state }) => state === 'expired' || state === 'orphaned');
      return ended.filter((each) => this.#remove(each)).map(statusOf);
    });
    return pruned ?? [];
  }

  /**
   * All claims at once, and again within a second of each change; nothing
   * where the folder is missing. Ends with `signal.reason` as its error.
   */
  async *watch(options?: {
    signal?: AbortSignal | undefined;
  }): AsyncGenerator<ClaimStatus[], void, undefined> {
    const signal = checkSignal(checkOptions(options, WATCH_OPTIONS).signal);
    let last = '';
    for (;;) {
      if (signal?.aborted === true) throw signal.reason;
      const next = new NextChange(this.directory);
      try {
        const statuses = await this.list();
        const text = JSON.stringify(statuses);
        if (text !== last) {
          last = text;
          yield statuses;
        }
        await next.wait(LOOK_MILLISECONDS, [], signal);
      } finally {
        next.close();
      }
    }
  }

  async #renewAgent(agent: string, ttl: number): Promise<Date> {
    checkAgent(agent, 'agent');
    const expiresAt = expiryAfter(Date.now(), checkTtl(ttl, 'ttl'));
    const renewed = await this.#folder.aloneIfThere(() => {
      const found = this.#folder.find(agent);
      if (found?.state === 'invalid') throw this.#invalid([found]);
      if (found?.state !== 'active') return false;
      return this.#folder.renew(found, expiresAt);
    });
    if (renewed === true) return expiresAt;
    const file = this.#folder.fileOf(agent);
    throw new LockLostError(file, `${printable(agent)} has no active claim to renew: claim anew`);
  }

  #remove(found: Found): boolean {
    const own = this.#live.get(found.agent);
    const isOwn = own !== undefined && inside(own).owns(found);
    const removed = this.#folder.remove(found.file);
    if (isOwn) inside(own).forget();
    return removed;
  }

  /** Where two names mean one file (`api` and `API`), a claim would take the place of another. */
  #checkNames(wanted: Wanted[], known: ReadonlySet<string>): void {
    const reason = 'its file is that of an agent whose name this file system takes for the same';
    const taken = wanted
      .map(({ agent }) => ({ agent, file: this.#folder.fileOf(agent) }))
      .filter(({ agent, file }) => !known.has(agent) && existsSync(file))
      .map(({ file }) => ({ file, reason }));
    if (taken.length > 0) throw new ClaimInvalidError(this.directory, taken);
  }

  #invalid(found: Found[]): ClaimInvalidError {
    const files = found.map(({ file, reason }) => ({ file, reason: reason ?? '' }));
    return new ClaimInvalidError(this.directory, files);
  }

  /** From the first claim that is held to the last. */
  #watchLive(): void {
    if (this.#monitor !== undefined) return;
    let scheduled = false;
    const look = (): void => {
      scheduled = false;
      for (const claim of [...this.#live.values()]) inside(claim).look();
    };
    // A change seldom comes alone.
    const soon = (): void => {
      if (!scheduled) setTimeout(look, 10).unref();
      scheduled = true;
    };
    const unwatch = watchFolder(this.directory, false, soon);
    const timer = setInterval(look, LOOK_MILLISECONDS).unref();
    this.#monitor = () => {
      clearInterval(timer);
      unwatch();
    };
  }

  #forget(claim: Claim): void {
    if (this.#live.get(claim.agent) !== claim) return;
    this.#live.delete(claim.agent);
    if (this.#live.size > 0) return;
    this.#monitor?.();
    this.#monitor = undefined;
  }
}

function warn(message: string): void {
  process.emitWarning(message, { type: 'HoldfastWarning', code: 'HOLDFAST_CLAIM_EXPIRED' });
}

/** How long until what is in the way may be gone by the clock, at most `most`. */
function until(blockers: Found[], most: number): number {
  const now = Date.now();
  const times = blockers
    .filter(({ claim }) => claim?.bound === null)
    .map(({ claim }) => (claim as ClaimFile).expiresAt.getTime() + GRACE_MILLISECONDS - now);
  return Math.max(0, Math.min(most, ...times));
}

function lockedFiles(blockers: Found[]): string[] {
  const bound = blockers.filter(({ claim }) => claim?.bound != null);
  return bound.slice(0, MOST_KERNEL_WAITS).map(({ location }) => location);
}
