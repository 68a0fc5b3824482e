// All that this folder knows of the claims: what a hook asks and changes.
import { readdirSync } from 'node:fs';
import { dirname, sep } from 'node:path';
import { Claims } from '../claims/claims.js';
import { ClaimConflictError } from '../claims/errors.js';
import { escapePath } from '../claims/pattern.js';
import { RealPaths } from '../claims/real-path.js';
import { defaultPlace } from '../claims/root.js';
import type { ClaimRequest, ClaimStatus, PathVerdict } from '../claims/types.js';
import { bypassUntil } from './bypass.js';
import type { Session } from './session.js';

/** How long an automatic claim lives without a write, where it does not end with a process. */
export const HOOK_TTL = 60 * 60 * 1000;
/** How old the last touch of a part may be: one gives way after half an hour without any. */
const TOUCHED_MILLISECONDS = 60 * 1000;

/** What the claims say of a path. */
export interface Seen extends Omit<PathVerdict, 'path'> {
  /** As it was asked for, absolute. */
  path: string;
  /** Its claims; `null`: outside. */
  repository: Repository | null;
}

/** The claims of one repository, in one of its working trees. */
export interface Repository {
  claims: Claims;
  /** The working tree, a real path. */
  tree: string;
}

/** The claims of all repositories that a session writes to. */
export class ClaimsOfSession {
  readonly session: Session;
  readonly #directory: string | null;
  readonly #repositories = new Map<string, Repository>();

  /** `directory`: of the claims, for all paths; `null`: that of each path's repository. */
  constructor(session: Session, directory: string | null) {
    this.session = session;
    this.#directory = directory;
  }

  /** Whose each path is, in the order of the paths. */
  async look(paths: readonly string[]): Promise<Seen[]> {
    const seen = new Map<string, Seen>();
    for (const [repository, group] of this.#groups(paths)) {
      const verdicts = await repository.claims.check(group, {
        as: this.session.agent,
        // Nothing is granted beside them, and then the reason is said.
        ignoreInvalid: true,
      });
      verdicts.forEach((verdict, at) => {
        const path = group[at] as string;
        seen.set(path, { ...this.#asChild(verdict), path, repository });
      });
    }
    return paths.map((path) => seen.get(path) ?? outside(path));
  }

  /**
   * A sub-agent that has claimed nothing yet is not known to be one. What its
   * session has is unclaimed for it, and it claims that for itself.
   */
  #asChild(verdict: PathVerdict): PathVerdict {
    const { parent } = this.session;
    if (verdict.verdict !== 'other' || parent === null) return verdict;
    if (verdict.owner?.agent !== parent) return verdict;
    return { ...verdict, verdict: 'unclaimed', owner: null, matchedBy: null };
  }

  #groups(paths: readonly string[]): Map<Repository, string[]> {
    const groups = new Map<Repository, string[]>();
    for (const path of paths) {
      const repository = this.repositoryOf(dirname(path));
      if (repository === null) continue;
      const group = groups.get(repository) ?? [];
      groups.set(repository, group);
      group.push(path);
    }
    return groups;
  }

  /** The claims for a folder, which need not exist; `null`: it is in no repository. */
  repositoryOf(folder: string): Repository | null {
    const real = new RealPaths().resolve(folder);
    const place = defaultPlace(real.isFolder ? real.path : existing(real.path));
    if (place === null) return null;
    const known = this.#repositories.get(place.root);
    if (known !== undefined) return known;
    const claims = new Claims(this.#directory ?? undefined, { root: place.root });
    const made = { claims, tree: place.root };
    this.#repositories.set(place.root, made);
    return made;
  }

  /**
   * Puts unclaimed paths into the claim of the session, and touches those that
   * it has. Resolves to why not: others were faster, or wait for them.
   */
  async take(seen: readonly Seen[]): Promise<ClaimConflictError | null> {
    const groups = new Map<Repository, Seen[]>();
    for (const each of seen) {
      if (each.repository === null || !isToTake(each, this.session.agent)) continue;
      groups.set(each.repository, [...(groups.get(each.repository) ?? []), each]);
    }
    for (const [repository, group] of groups) {
      try {
        await repository.claims.claim(this.#request(repository, group));
      } catch (error) {
        if (error instanceof ClaimConflictError) return error;
        throw error;
      }
    }
    await this.#renew(seen);
    return null;
  }

  #request({ tree }: Repository, group: readonly Seen[]): ClaimRequest {
    const { agent, parent, pid } = this.session;
    return {
      agent,
      files: group.map(({ path }) => escapePath(path)),
      extend: true,
      by: 'hook',
      tree,
      ttl: HOOK_TTL,
      ...(pid !== null && { session: { pid } }),
      ...(parent !== null && { parent }),
    };
  }

  /** Once half of its time is gone: a claim never ends under one that writes. */
  async #renew(seen: readonly Seen[]): Promise<void> {
    const { agent } = this.session;
    for (const { verdict, owner, repository } of seen) {
      if (verdict !== 'mine' || owner?.agent !== agent || repository === null) continue;
      const left = (owner.expiresAt?.getTime() ?? 0) - Date.now();
      if (left < HOOK_TTL / 2) await repository.claims.renew(agent, HOOK_TTL);
      return;
    }
  }

  /** What other sessions have in the working tree of a folder. */
  async othersIn(folder: string): Promise<ClaimStatus[]> {
    const repository = this.repositoryOf(folder);
    if (repository === null) return [];
    const { agent, parent } = this.session;
    return (await repository.claims.list()).filter(
      (each) =>
        isLive(each) && each.agent !== agent && each.agent !== parent && isIn(repository, each),
    );
  }

  /** Who waits for what the session has. */
  async waiters(seen: readonly Seen[]): Promise<string[]> {
    const { agent } = this.session;
    const own = seen.filter(({ verdict, owner }) => verdict === 'mine' && owner?.agent === agent);
    const repositories = new Set(own.map(({ repository }) => repository as Repository));
    const names: string[] = [];
    for (const { claims } of repositories) {
      if (!mayHaveWaits(claims.directory)) continue;
      for (const { agents, blockedBy } of await claims.waits()) {
        if (blockedBy.includes(agent)) names.push(...agents);
      }
    }
    return [...new Set(names)];
  }

  /** The end of the session: what it and its sub-agents have, in the repository of a folder, is free. */
  async release(folder: string): Promise<void> {
    const claims = this.repositoryOf(folder)?.claims;
    if (claims === undefined) return;
    const { agent } = this.session;
    const children = (await claims.list()).filter(({ parent }) => parent === agent);
    // What a hook claimed for them goes to the session, so that comes last.
    for (const child of children) await claims.release(child.agent);
    await claims.release(agent);
  }

  /** The end of a sub-agent: what was claimed for it automatically is its parent's. */
  async handOver(folder: string): Promise<void> {
    await this.repositoryOf(folder)?.claims.release(this.session.agent);
  }

  /** Whether a path is in the folder of the claims, which only Holdfast and people change. */
  isOfClaims({ path, repository }: Seen): boolean {
    const directory = repository?.claims.directory;
    if (directory === undefined) return false;
    const real = new RealPaths().resolve(path).path;
    return [path, real].some((each) => each === directory || each.startsWith(directory + sep));
  }

  /** Until when a person lets everything through. */
  bypass({ repository }: Pick<Seen, 'repository'>): Date | null {
    return repository === null ? null : bypassUntil(repository.claims.directory);
  }
}

/** The folder of the claims for a folder; `null`: it is in no repository. */
export function claimsFolderAt(folder: string, given: string | null): string | null {
  const nobody: Session = { agent: '', parent: null, pid: null };
  return new ClaimsOfSession(nobody, given).repositoryOf(folder)?.claims.directory ?? null;
}

/** Mostly nobody waits, and then what reads waits need not be loaded. */
function mayHaveWaits(directory: string): boolean {
  try {
    return readdirSync(directory).some((name) => name.endsWith('.want'));
  } catch {
    return false;
  }
}

/** Whether it has to enter the claim, or to be touched. */
function isToTake({ verdict, owner, matchedBy, notice }: Seen, agent: string): boolean {
  if (verdict === 'unclaimed') return true;
  if (verdict !== 'mine') return false;
  // A sub-agent has it, whose claim ends before this one.
  if (notice !== null || owner?.agent !== agent) return true;
  const part = owner.parts.find(
    ({ by, files }) => by === 'hook' && files.includes(matchedBy ?? ''),
  );
  const touched = part?.touched?.getTime() ?? null;
  return touched !== null && Date.now() - touched > TOUCHED_MILLISECONDS;
}

function isLive({ state }: ClaimStatus): boolean {
  return state !== 'expired' && state !== 'orphaned' && state !== 'invalid';
}

function isIn({ tree }: Repository, { parts }: ClaimStatus): boolean {
  return parts.some((part) => part.tree === null || part.tree === tree);
}

/** The nearest folder above that exists. */
function existing(path: string): string {
  const above = dirname(path);
  const found = new RealPaths().resolve(above);
  return found.isFolder || above === path ? found.path : existing(above);
}

function outside(path: string): Seen {
  return {
    path,
    verdict: 'outside',
    owner: null,
    matchedBy: null,
    notice: null,
    repository: null,
  };
}
