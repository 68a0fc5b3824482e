// The only file of this folder that reads and changes claims.
import { readdirSync } from 'node:fs';
import { judge } from '../claims/check.js';
import { ClaimConflictError } from '../claims/errors.js';
import type { Found } from '../claims/model.js';
import { escapePath } from '../claims/pattern.js';
import { isOfSession, markOf, type SessionMark } from '../claims/session.js';
import { isLive } from '../claims/states.js';
import { statusOf } from '../claims/status.js';
import type { ClaimRequest, ClaimStatus, PathVerdict } from '../claims/types.js';
import { bypassUntil } from './bypass.js';
import { Repositories, type Repository } from './repositories.js';
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
  /** Another session that runs has it, under the name of this one. */
  isNamesake: boolean;
  /** Unclaimed, because this agent leaves it to the session. */
  leftBy: string | null;
}

/** The claims of all repositories that a session writes to. */
export class ClaimsOfSession {
  readonly session: Session;
  readonly #mark: SessionMark | null;
  readonly #repositories: Repositories;
  readonly #yielding: ReadonlySet<string>;

  /**
   * `directory`: as it was given, see {@link Repositories}; `cwd`: where the tool
   * runs; `yielding`: agents that leave what they have to the session.
   */
  constructor(
    session: Session,
    {
      directory,
      cwd,
      yielding = new Set(),
    }: { directory: string | null; cwd: string; yielding?: ReadonlySet<string> | undefined },
  ) {
    this.session = session;
    this.#yielding = yielding;
    this.#mark = session.pid === null ? null : markOf(session.pid);
    this.#repositories = new Repositories(directory, cwd);
  }

  /** Whose each path is for the session, in the order of the paths. */
  async look(paths: readonly string[], as = this.session.agent): Promise<Seen[]> {
    const seen = new Map<string, Seen>();
    this.#repositories.lookAgain();
    for (const [repository, group] of this.#groups(paths)) {
      const { folder } = repository;
      const locator = this.#repositories.locatorOf(repository);
      const namesakes = new Set<string>();
      const located = group.map((path) => locator.path(path, 'path') ?? path);
      const verdicts = await judge(folder, located, {
        as,
        // Nothing is granted beside them, and then the reason is said.
        ignoreInvalid: true,
        isForeign: (found) => this.#isForeign(found, namesakes),
      });
      verdicts.forEach((verdict, at) => {
        const path = group[at] as string;
        const isNamesake = namesakes.has(verdict.owner?.agent ?? '');
        seen.set(path, { ...this.#forSession(verdict, isNamesake), path, repository, isNamesake });
      });
    }
    return paths.map((path) => seen.get(path) ?? outside(path));
  }

  /**
   * A sub-agent that has claimed nothing yet is not known to be one. What its
   * session has is unclaimed for it, and it claims that for itself. So is what a
   * resting session has, which is taken from that one.
   */
  #forSession(
    verdict: PathVerdict,
    isNamesake: boolean,
  ): Omit<PathVerdict, 'path'> & Pick<Seen, 'leftBy'> {
    const owner = verdict.owner?.agent ?? '';
    const isLeft = this.#yielding.has(owner);
    if (verdict.verdict !== 'other' || isNamesake || !(isLeft || owner === this.session.parent)) {
      return { ...verdict, leftBy: null };
    }
    const leftBy = isLeft ? owner : null;
    return { ...verdict, verdict: 'unclaimed', owner: null, matchedBy: null, leftBy };
  }

  /** Two sessions may have been given one name, and are two agents all the same. */
  #isForeign(found: Found, namesakes: Set<string>): boolean {
    const session = found.claim?.session ?? null;
    if (session === null || isOfSession(session, this.#mark)) return false;
    namesakes.add(found.agent);
    return true;
  }

  #groups(paths: readonly string[]): Map<Repository, string[]> {
    const groups = new Map<Repository, string[]>();
    for (const path of paths) {
      const repository = this.#repositories.of(path);
      if (repository === null) continue;
      const group = groups.get(repository) ?? [];
      groups.set(repository, group);
      group.push(path);
    }
    return groups;
  }

  /** The claims for a folder, which need not exist; `null`: there are none about it. */
  repositoryOf(folder: string): Repository | null {
    return this.#repositories.of(folder);
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
        await repository.claims.claimAll([
          ...this.#releases(group),
          this.#request(repository, group),
        ]);
      } catch (error) {
        if (error instanceof ClaimConflictError) return error;
        throw error;
      }
    }
    await this.#renew(seen);
    return null;
  }

  /** What others leave to the session, in one step with its own claim. */
  #releases(group: readonly Seen[]): ClaimRequest[] {
    const agents = new Set(group.map(({ leftBy }) => leftBy).filter((each) => each !== null));
    return [...agents].map((agent) => ({
      agent,
      release: group.filter(({ leftBy }) => leftBy === agent).map(({ path }) => escapePath(path)),
    }));
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

  /** Renews once half of the time is gone, so a claim never ends while its agent writes. */
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
    const found = (await repository.folder.readShared()).filter(
      (each) =>
        isLive(each.state) &&
        ((each.agent !== agent && each.agent !== parent) || this.#isForeign(each, new Set())),
    );
    return found.map(statusOf).filter((each) => isIn(repository, each));
  }

  /** Who waits for what the session has. */
  async waiters(seen: readonly Seen[]): Promise<string[]> {
    const { agent } = this.session;
    const own = seen.filter(({ verdict, owner }) => verdict === 'mine' && owner?.agent === agent);
    const repositories = new Set(own.map(({ repository }) => repository as Repository));
    const names: string[] = [];
    for (const repository of repositories) {
      if (!mayHaveWaits(repository.folder.path)) continue;
      for (const { agents, blockedBy } of await repository.claims.waits()) {
        if (blockedBy.includes(agent)) names.push(...agents);
      }
    }
    return [...new Set(names)];
  }

  /**
   * The host says that a session has ended: what it and its sub-agents have, in
   * the repository of a folder, is free. Only where no process tells: a session
   * that has one of its own ends with it, and hosts say the same when somebody
   * begins a new conversation in it, with the work of the old one uncommitted.
   * What ends with another process is that one's.
   */
  async release(folder: string): Promise<void> {
    const claims = this.repositoryOf(folder)?.claims;
    const { agent, pid, isNamed } = this.session;
    if (claims === undefined || pid !== null) return;
    const all = (await claims.list()).filter(
      ({ session, bound, parts }) =>
        session === null &&
        bound === null &&
        // Others may use a given name too, such as a shell with the same variable.
        (!isNamed || parts.every(({ by }) => by === 'hook')),
    );
    // What a hook claimed for them goes to the session, so that comes last.
    for (const child of all) if (child.parent === agent) await claims.release(child.agent);
    if (all.some((each) => each.agent === agent)) await claims.release(agent);
  }

  /** The end of a sub-agent: what was claimed for it automatically is its parent's. */
  async handOver(folder: string): Promise<void> {
    const repository = this.repositoryOf(folder);
    const { agent } = this.session;
    const own = repository?.folder.find(agent) ?? null;
    if (own !== null && !this.#isForeign(own, new Set())) await repository?.claims.release(agent);
  }

  /** Whether a path is in a folder of claims, which only Holdfast and people change. */
  isOfClaims({ path }: Seen): boolean {
    return this.#repositories.isOfClaims(path);
  }

  /** Until when a person lets everything through. */
  bypass({ repository }: Pick<Seen, 'repository'>): Date | null {
    return repository === null ? null : bypassUntil(repository.folder.path);
  }
}

/** The folder of the claims for a folder; `null`: it is in no repository. */
export function claimsFolderAt(folder: string, given: string | null): string | null {
  return new Repositories(given, folder).directoryOf(folder);
}

/** Mostly nobody waits, and then the code that reads waits is not loaded. */
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

function isIn({ tree }: Repository, { parts }: ClaimStatus): boolean {
  return parts.some((part) => part.tree === null || part.tree === tree);
}

function outside(path: string): Seen {
  return {
    path,
    verdict: 'outside',
    owner: null,
    matchedBy: null,
    notice: null,
    repository: null,
    isNamesake: false,
    leftBy: null,
  };
}
