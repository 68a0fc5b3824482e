// Longer than other files: one class, half of it what its users read.

import { argumentError } from '../base/argument-errors.js';
import { checkBoolean, checkOptions, checkPath, checkSignal } from '../base/arguments.js';
import { acquireClaims } from './acquire-claims.js';
import { judge } from './check.js';
import { ClaimHandle } from './claim.js';
import { checkAgent } from './claim-file.js';
import { lookAt, waitsIn, watchClaims } from './claim-waits.js';
import { withWayOut } from './errors.js';
import { checkStatuses, claimedBy } from './existing.js';
import { checkTtl } from './expiry.js';
import { familyInPlan } from './family.js';
import { ClaimsFolder } from './folder.js';
import type { Place } from './grant.js';
import { endClaim } from './hand-over.js';
import { LiveClaims } from './live-claims.js';
import { Locator } from './locate.js';
import type { Wanted } from './model.js';
import { makePlan } from './plan.js';
import { releaseAll, releaseClaim, removeClaim } from './release-claim.js';
import { renewClaim } from './renew-claim.js';
import { checkPaths, checkRequests } from './request.js';
import { findRoot, givenPlace, placeOfRepository, type Root } from './root.js';
import { claimFileName, noSuchFile, setAside } from './set-aside.js';
import { isLive } from './states.js';
import { statusOf } from './status.js';
import type {
  Claim,
  ClaimOptions,
  ClaimRequest,
  ClaimStatus,
  ClaimWait,
  Conflict,
  PathVerdict,
  Plan,
} from './types.js';
import { conflictsOf } from './verdicts.js';

let folderIn: (claims: Claims) => ClaimsFolder;

const CLAIMS_OPTIONS = new Set(['root']);
const CHECK_OPTIONS = new Set(['as', 'ignoreInvalid']);
const PLAN_OPTIONS = new Set(['existing']);
const RELEASE_OPTIONS = new Set(['force', 'paths']);
const RELEASE_ALL_OPTIONS = new Set(['force']);
const RENEW_OPTIONS = new Set(['ifHalfGone']);
const WATCH_OPTIONS = new Set(['signal']);

/**
 * The claims of one workflow: which agent may change which files of a tree.
 * They are advisory: nothing stops a program that writes without asking.
 *
 * Decisions are atomic across processes. An unbound claim lives by the clock,
 * so an owner that is stopped for longer than its ttl runs on without it; its
 * `signal` then tells.
 */
export class Claims {
  /** The folder with the claims' files, absolute. */
  readonly directory: string;
  /** What paths are relative to, absolute. */
  readonly root: string;
  readonly #isWhole: boolean;
  #rootFound: Root | undefined;
  #folderFound: ClaimsFolder | undefined;
  #liveMade: LiveClaims | undefined;

  /**
   * `directory`: default the folder that all working trees of the repository of
   * the working directory share, `holdfast/claims` in its `.git`; in no
   * repository it must be given. `root`: default the git top level of
   * `directory`, else of the working directory (for a submodule, that of its
   * superproject), else that directory. Nothing is created until it is needed.
   */
  constructor(directory?: string | URL, options?: { root?: string | URL | undefined }) {
    const { root } = checkOptions(options, CLAIMS_OPTIONS);
    const top = root === undefined ? undefined : checkPath(root, 'options.root');
    const place =
      directory === undefined
        ? placeOfRepository(top)
        : givenPlace(checkPath(directory, 'directory'), top);
    this.directory = place.directory;
    this.root = place.root;
    this.#isWhole = place.isWhole;
  }

  get #root(): Root {
    this.#rootFound ??= findRoot(this.root, this.#isWhole);
    return this.#rootFound;
  }

  get #folder(): ClaimsFolder {
    this.#folderFound ??= new ClaimsFolder(this.directory, this.#root);
    return this.#folderFound;
  }

  get #live(): LiveClaims {
    this.#liveMade ??= new LiveClaims(this.directory);
    return this.#liveMade;
  }

  get #place(): Place {
    return { folder: this.#folder, live: this.#live };
  }

  /**
   * Claims a scope. An earlier claim of the same agent is replaced, or with
   * `extend` and `release` changed; it stays unchanged if this one is refused.
   * A request that only releases never waits; if it leaves nothing, the claim
   * that it resolves to is not held.
   *
   * Rejects with `ERR_CLAIM_CONFLICT` (at once, or after `timeout`),
   * `ERR_CLAIM_INVALID`, `signal.reason`, an argument error, or a system error;
   * with `ERR_LOCK_TIMEOUT` if a process was stopped in the middle of a
   * decision; with `ERR_LOCK_HELD` if another session, or another process that
   * has bound it, has a claim of this name or of the parent's. A bound one may
   * be extended all the same, unless Holdfast 0.1.0 has written it or it is to
   * be bound anew.
   */
  async claim(request: ClaimRequest, options?: ClaimOptions): Promise<Claim> {
    const { patterns } = new Locator(this.#root);
    const wanted = checkRequests([request], this.#root, 'claim', patterns);
    const [claim] = await this.#acquire(wanted, options);
    return claim as Claim;
  }

  /** Claims all scopes or none. Requests that overlap among themselves are refused at once. */
  async claimAll(requests: ClaimRequest[], options?: ClaimOptions): Promise<Claim[]> {
    const { patterns } = new Locator(this.#root);
    return this.#acquire(checkRequests(requests, this.#root, 'claimAll', patterns), options);
  }

  async #acquire(wanted: Wanted[], options: ClaimOptions | undefined): Promise<Claim[]> {
    const held = await acquireClaims(this.#place, wanted, options).catch((error) => {
      throw this.#isWhole ? withWayOut(error, this.directory) : error;
    });
    return held.map((each) => new ClaimHandle(each, this.#place));
  }

  /**
   * Whose each path is. The paths are literal: relative to the root, or absolute,
   * below it or in another working tree of its repository; any other is
   * `outside`. One that ends in `/` is a folder with everything below it. `mine`
   * are the paths that only the claim of `as` has.
   *
   * A file in the folder that is not a valid claim may name any path. Where a
   * path is `unclaimed` by the others, there is a process warning
   * (`HOLDFAST_CLAIM_INVALID`), unless `ignoreInvalid` is set.
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
    const locator = new Locator(this.#root);
    const located = paths.map((path, at) => locator.path(path, `paths[${at}]`) ?? path);
    return judge(this.#folder, located, { as, ignoreInvalid: ignoring });
  }

  /** Overlaps among active claims. There are none unless somebody edited the files. */
  async audit(): Promise<Conflict[]> {
    return conflictsOf(await this.#folder.readShared());
  }

  /**
   * Which agents can work at the same time: waves, as few as possible (the
   * fewest if at most 16 requests are connected by conflicts), and for each
   * conflict what to do about it. Nothing is read or written. A request without
   * a scope fits into every wave. An agent that overlaps with one of `existing`
   * is not in the first wave, unless nobody else is.
   */
  plan(requests: ClaimRequest[], options?: { existing?: ClaimStatus[] | undefined }): Plan {
    const { existing = [] } = checkOptions(options, PLAN_OPTIONS);
    const wanted = checkRequests(requests, this.#root, 'plan');
    const active = checkStatuses(existing).filter(
      ({ state }) => isLive(state) || state === 'conflicting',
    );
    const claimed = active.map((status) => claimedBy(status, this.#root));
    return makePlan(wanted, claimed, familyInPlan(wanted, active).areRelated);
  }

  /** All claims, by name. */
  async list(): Promise<ClaimStatus[]> {
    return (await lookAt(this.#folder)).statuses;
  }

  /** Who waits for whom, the one that has waited longest first. */
  async waits(): Promise<ClaimWait[]> {
    return (await this.#folder.shared(() => waitsIn(this.#folder))) ?? [];
  }

  /**
   * Puts the expiry of an agent's active claim `ttl` milliseconds from now,
   * even if another process made the claim. Resolves to the new expiry. For
   * callers that do not have the `Claim`, such as a script. Rejects with
   * `ERR_LOCK_LOST` if the agent has no active claim, with `ERR_CLAIM_INVALID`
   * if its file is not a valid claim.
   *
   * `ifHalfGone`: default `false`. `true`: only if less than half of `ttl` is
   * left; else resolves to the expiry as it is. For frequent callers. A claim
   * with a session needs it as well: seen from another pid namespace, it lives
   * by its expiry.
   */
  async renew(
    agent: string,
    ttl: number,
    options?: { ifHalfGone?: boolean | undefined },
  ): Promise<Date> {
    checkAgent(agent, 'agent');
    const { ifHalfGone } = checkOptions(options, RENEW_OPTIONS);
    return renewClaim(this.#folder, agent, {
      ttl: checkTtl(ttl, 'ttl'),
      ifHalfGone: checkBoolean(ifHalfGone, 'options.ifHalfGone', false),
    });
  }

  /**
   * Removes the claim of an agent; with `paths` (paths and patterns as in
   * `except`) takes these from it, and removes it if nothing is left. False:
   * there is nothing to release. For a bound claim that another process holds,
   * or one of another session that lives, it rejects with `ERR_LOCK_HELD`, unless
   * `force` is set; some paths of a bound one may be released by anyone, unless
   * Holdfast 0.1.0 has written it. What a hook has claimed for a sub-agent goes to
   * its parent. A file that is not a valid claim is never removed:
   * `ERR_CLAIM_INVALID`.
   */
  async release(
    agent: string,
    options?: { force?: boolean | undefined; paths?: string[] | undefined },
  ): Promise<boolean> {
    const { force, paths } = checkOptions(options, RELEASE_OPTIONS);
    const given = {
      force: checkBoolean(force, 'options.force', false),
      paths:
        paths === undefined
          ? null
          : checkPaths(paths, new Locator(this.#root).patterns, 'options.paths'),
    };
    checkAgent(agent, 'agent');
    const released = await this.#folder.exclusivelyIfThere(() =>
      releaseClaim(this.#place, agent, given),
    );
    return released === true;
  }

  /**
   * Renames a file that is not a valid claim, so that it blocks no claims:
   * `x.lock` to `x.lock.invalid`. `file` is its path, or its name in the
   * folder. Resolves to the new path.
   *
   * Rejects with `ERR_LOCK_STATE` for a valid claim, for a file that is locked,
   * and for one that was changed less than a minute ago: somebody may still be
   * writing it. Also rejects with system errors, such as `ENOENT`.
   */
  async setAside(file: string): Promise<string> {
    const name = claimFileName(this.directory, file);
    const done = await this.#folder.exclusivelyIfThere(() => setAside(this.#folder, name));
    return done ?? noSuchFile(this.directory, name);
  }

  /**
   * Removes all claims but invalid ones: the end of a workflow. Bound claims of
   * other processes, and those of other sessions that live, stay without `force`;
   * the rest is removed, and it rejects with `ERR_LOCK_HELD`. Resolves to those
   * that were removed, which are in `released` of that error.
   */
  async releaseAll(options?: { force?: boolean | undefined }): Promise<ClaimStatus[]> {
    const given = checkOptions(options, RELEASE_ALL_OPTIONS).force;
    const force = checkBoolean(given, 'options.force', false);
    const all = await this.#folder.exclusivelyIfThere(() => releaseAll(this.#place, { force }));
    return all ?? [];
  }

  /** Removes expired and orphaned claims. Resolves to these. A sub-agent's go to its parent as in `release`. */
  async prune(): Promise<ClaimStatus[]> {
    const pruned = await this.#folder.exclusivelyIfThere(() => {
      const ended = this.#folder
        .read()
        .filter(({ state }) => state === 'expired' || state === 'orphaned');
      return ended.filter((each) => removeClaim(this.#place, each, endClaim)).map(statusOf);
    });
    return pruned ?? [];
  }

  /**
   * Yields all claims at once, and again within a second of each change,
   * including changes of what `waits` returns; an empty list if the folder is
   * missing. Throws `signal.reason` when aborted.
   */
  async *watch(options?: {
    signal?: AbortSignal | undefined;
  }): AsyncGenerator<ClaimStatus[], void, undefined> {
    const signal = checkSignal(checkOptions(options, WATCH_OPTIONS).signal);
    yield* watchClaims(this.#folder, signal);
  }

  static {
    folderIn = (claims) => claims.#folder;
  }
}

/** For the command. */
export function folderOf(claims: Claims): ClaimsFolder {
  return folderIn(claims);
}
